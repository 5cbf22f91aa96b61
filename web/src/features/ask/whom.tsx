import { Press } from "../../components/press";
import { NameOptions } from "./name-options";
import type { Target } from "./targets";
import "./whom.css";

interface Props {
  models: string[];
  targets: Target[];
  onChoose: (models: string[]) => void;
}

/** Who answers the next question: one, or two side by side. */
export function Whom({ models, targets, onChoose }: Props) {
  const other = targets.find(({ name }) => !models.includes(name));
  return (
    <div className="whom">
      {models.map((model, column) => (
        <NameChoice
          // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
          key={column}
          label={column === 0 ? "Model" : "Second model"}
          model={model}
          targets={targets}
          onChoose={(chosen) => onChoose(models.map((before, at) => (at === column ? chosen : before)))}
        />
      ))}
      {models.length === 1 && (
        <Press
          className="button-plain"
          available={other !== undefined}
          onPress={() => other && onChoose([...models, other.name])}
        >
          Add a second model
        </Press>
      )}
      {models.length > 1 && (
        <button type="button" className="button button-plain" onClick={() => onChoose(models.slice(0, 1))}>
          Only the first
        </button>
      )}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  /** Whether it stands there for all to see. */
  isLabelShown?: boolean;
  model: string;
  targets: Target[];
  onChoose: (model: string) => void;
}

export function NameChoice({ label, isLabelShown = false, model, targets, onChoose }: ChoiceProps) {
  const chosen = targets.find(({ name }) => name === model);
  return (
    <label className="whom-choice">
      <span className={isLabelShown ? "" : "unseen"}>{label}</span>
      <select value={model} onChange={(event) => onChoose(event.target.value)}>
        {!chosen && <option value={model}>{model}</option>}
        <NameOptions targets={targets} />
      </select>
      <small role="status" data-tone={chosen ? "calm" : "bad"}>
        {chosen?.note ?? "Cannot be asked now: it neither runs nor is enabled."}
      </small>
    </label>
  );
}
