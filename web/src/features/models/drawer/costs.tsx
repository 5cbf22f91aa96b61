import type { EngineOption, Plan } from "../../../lib/api";
import { contextWords, memoryWords } from "../../../lib/format";
import { estimatedMb, usePlans } from "./plans";
import type { FieldState } from "./setting-field";

interface CostsProps {
  option: EngineOption;
  text: string;
  state: FieldState;
}

/** What a setting that takes memory would come to with the values that people choose; one press chooses it. */
export function Costs({ option: { name }, text, state }: CostsProps) {
  const { model, edit, plan, onType } = state;
  const values = candidates(name, model.context_length);
  const plans = usePlans(
    model,
    values.map((value) => ({ ...edit, [name]: value })),
  );
  if (values.length === 0) return null;
  const current = text || String(plan?.settings[name] ?? "");
  return (
    <fieldset className="costs">
      <legend className="unseen">What {name} costs</legend>
      {values.map((value, index) => (
        <button
          key={value}
          type="button"
          className="cost"
          aria-pressed={String(value) === current}
          onClick={() => onType(name, String(value))}
        >
          <span className="unseen">
            {name} {value}:
          </span>{" "}
          <strong>{name === "ctx_size" ? contextWords(Number(value)) : value}</strong>{" "}
          {costWords(name, plans[index])}
        </button>
      ))}
    </fieldset>
  );
}

function costWords(name: string, plan: Plan | undefined): string {
  if (plan === undefined) return "…";
  const each = name === "parallel" ? `, ${contextWords(plan.request_tokens)} each` : "";
  return `${memoryWords(estimatedMb(plan))}${each}${plan.fits ? "" : ", does not fit"}`;
}

/** The values of a setting that are worth a look; none where it does not decide how much memory is taken. */
export function candidates(name: string, trained: number | null): (number | string)[] {
  switch (name) {
    case "ctx_size": {
      const most = trained ?? 32_768;
      const steps = [4096, 8192, 16_384, 32_768, 65_536, 131_072].filter((step) => step < most);
      return [...steps, most];
    }
    case "parallel":
      return [1, 2, 4, 8];
    case "cache_type_k":
    case "cache_type_v":
      return ["f16", "q8_0", "q4_0"];
    case "cache_ram":
      return [0, 512, 2048, 8192];
    default:
      return [];
  }
}
