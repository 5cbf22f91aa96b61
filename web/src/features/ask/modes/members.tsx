import type { Target } from "../targets";
import { NameChoice } from "../whom";
import { type Kind, placeOf } from "./kinds";

interface Props {
  kind: Kind;
  models: string[];
  targets: Target[];
  onChoose: (models: string[]) => void;
}

/** Who plays in a mode: whoever the mode picks, or those that are named. */
export function Members({ kind, models, targets, onChoose }: Props) {
  const names = targets.filter(({ group }) => group !== "Whichever is best");
  if (models.length === 0)
    return (
      <p className="members">
        The mode picks the models.{" "}
        {targets.length > 0 && (
          <button
            type="button"
            className="button button-plain"
            onClick={() => onChoose(suggested(kind, names))}
          >
            Choose them
          </button>
        )}
      </p>
    );
  const next = names.find(({ name }) => !models.includes(name)) ?? names[0];
  return (
    <div className="members">
      {models.map((model, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a member is its place
        <div className="member" key={index}>
          <NameChoice
            label={placeOf(kind, index)}
            isLabelShown
            model={model}
            targets={targets}
            onChoose={(chosen) => onChoose(models.map((before, at) => (at === index ? chosen : before)))}
          />
          {models.length > kind.fewest && (
            <button
              type="button"
              className="button button-icon"
              aria-label={`Remove ${placeOf(kind, index)}`}
              onClick={() => onChoose(models.filter((_, at) => at !== index))}
            >
              ×
            </button>
          )}
        </div>
      ))}
      <div className="member-tools">
        {models.length < kind.most && next && (
          <button
            type="button"
            className="button button-plain"
            onClick={() => onChoose([...models, next.name])}
          >
            Add a model
          </button>
        )}
        <button type="button" className="button button-plain" onClick={() => onChoose([])}>
          Let the mode pick
        </button>
      </div>
    </div>
  );
}

const WHERE_ANY = 3;

/** Whom to begin the choice with: those that run come first in the list; where there are few, one is there more than once. */
export function suggested({ places, most, mode }: Kind, names: Target[]): string[] {
  if (mode === "benchmark") {
    const running = names.filter(({ group }) => group === "Running");
    return (running.length > 0 ? running : names).slice(0, most).map(({ name }) => name);
  }
  const count = Math.min(most, Math.max(places.length, mode === "council" ? WHERE_ANY : 0));
  return Array.from({ length: count }, (_, at) => names[at % names.length]?.name ?? "").filter(Boolean);
}
