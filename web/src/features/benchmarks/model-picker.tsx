import { type Dispatch, useState } from "react";
import { countWords, memoryWords } from "../../lib/format";
import type { Choice, Step } from "./choice";
import { type Contestant, type Sought, soughtOf } from "./contestants";

interface Props {
  choice: Choice;
  contestants: Contestant[];
  step: Dispatch<Step>;
}

const MOST_SHOWN = 100;
const TIERS: [Sought["tier"], string][] = [
  ["", "Every tier"],
  ["fast", "Fast"],
  ["balanced", "Balanced"],
  ["powerful", "Powerful"],
  ["elsewhere", "Elsewhere"],
];

/** Which models are measured. */
export function ModelPicker({ choice, contestants, step }: Props) {
  const [sought, setSought] = useState<Sought>({ search: "", tier: "" });
  const found = soughtOf(contestants, sought);
  const chosen = choice.models;
  const unknown = chosen.filter((name) => !contestants.some((contestant) => contestant.name === name));
  const enabled = contestants.filter(
    (contestant) => contestant.enabled && contestant.name === contestant.modelId,
  );
  const pick = (names: string[], on: boolean) => step({ do: "models", names, on });
  const only = (names: string[]) => step({ do: "edit", of: { models: names } });
  return (
    <fieldset className="new-run-part">
      <legend>Models · {countWords(chosen.length, "chosen", "chosen")}</legend>
      <div className="bar">
        <input
          type="search"
          aria-label="Search models"
          placeholder="Search: name, status…"
          value={sought.search}
          onChange={(event) => setSought({ ...sought, search: event.target.value })}
        />
        <select
          aria-label="Tier"
          value={sought.tier}
          onChange={(event) => setSought({ ...sought, tier: event.target.value as Sought["tier"] })}
        >
          {TIERS.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <button type="button" className="button" onClick={() => only(enabled.map(({ name }) => name))}>
          ALL ENABLED
        </button>
        <button
          type="button"
          className="button"
          onClick={() =>
            pick(
              found.map(({ name }) => name),
              true,
            )
          }
        >
          ALL SHOWN
        </button>
        <button type="button" className="button" onClick={() => only([])}>
          NONE
        </button>
      </div>
      {contestants.length === 0 && <p className="bench-quiet">No model here can chat. Add one on Models.</p>}
      {contestants.length > 0 && found.length === 0 && <p className="bench-quiet">No model is called so.</p>}
      <ul className="pick-list">
        {unknown.map((name) => (
          <li key={name}>
            <Pick label={name} note="is not here any more" isOn onPick={(on) => pick([name], on)} />
          </li>
        ))}
        {found.slice(0, MOST_SHOWN).map((contestant) => (
          <li key={contestant.name}>
            <Pick
              label={contestant.label}
              note={noteOf(contestant)}
              isOn={chosen.includes(contestant.name)}
              onPick={(on) => pick([contestant.name], on)}
            />
          </li>
        ))}
      </ul>
      {found.length > MOST_SHOWN && (
        <p className="bench-quiet">{countWords(found.length - MOST_SHOWN, "more model")}: search for them.</p>
      )}
    </fieldset>
  );
}

interface PickProps {
  label: string;
  note: string;
  isOn: boolean;
  onPick: (on: boolean) => void;
}

function Pick({ label, note, isOn, onPick }: PickProps) {
  return (
    <label className="pick">
      <input
        type="checkbox"
        aria-label={label}
        checked={isOn}
        onChange={(event) => onPick(event.target.checked)}
      />
      <span>{label}</span>
      <small>{note}</small>
    </label>
  );
}

function noteOf({ modelId, tier, status, enabled, memoryMb }: Contestant): string {
  if (modelId === null) return "elsewhere";
  const state = status === "running" ? "running" : enabled ? "enabled" : status;
  return [tier, state, memoryMb === null ? "" : memoryWords(memoryMb)].filter(Boolean).join(", ");
}
