import type { Model, Tier } from "../../lib/api";
import { useChoice } from "./actions";

const TIERS: Tier[] = ["fast", "balanced", "powerful"];

/** The tier. Automatic until a person chooses; choosing `automatic` again takes the choice back. */
export function TierSelect({ model }: { model: Model }) {
  const { shown, choose } = useChoice(model, "tier", model.tier_is_override ? model.tier : null);
  return (
    <select
      className="tier"
      data-chosen={shown !== null}
      aria-label={`Tier ${model.display_name}`}
      title={model.tier_is_override ? "Chosen by a person" : "Automatic, by size"}
      value={shown ?? ""}
      onChange={(event) => choose((event.target.value || null) as Tier | null)}
    >
      <option value="">{model.tier_is_override ? "automatic" : `${model.tier} auto`}</option>
      {TIERS.map((tier) => (
        <option key={tier} value={tier}>
          {tier.toUpperCase()}
        </option>
      ))}
    </select>
  );
}
