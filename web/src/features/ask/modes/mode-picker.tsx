import { useId } from "react";
import { KINDS, type Mode } from "./kinds";
import "./mode-picker.css";

interface Props {
  mode: Mode | undefined;
  onPick: (mode: Mode | undefined) => void;
}

/** How the next question is answered: by one model as in any chat, or by a mode of several. */
export function ModePicker({ mode, onPick }: Props) {
  const name = useId();
  const kind = KINDS.find((one) => one.mode === mode);
  return (
    <fieldset className="mode-picker">
      <legend className="unseen">How it is answered</legend>
      <Choice name={name} label="Chat" checked={mode === undefined} onPick={() => onPick(undefined)} />
      {KINDS.map((one) => (
        <Choice
          key={one.mode}
          name={name}
          label={one.label}
          checked={one.mode === mode}
          onPick={() => onPick(one.mode)}
        />
      ))}
      {kind && <p className="mode-words">{kind.words}</p>}
    </fieldset>
  );
}

interface ChoiceProps {
  name: string;
  label: string;
  checked: boolean;
  onPick: () => void;
}

function Choice({ name, label, checked, onPick }: ChoiceProps) {
  return (
    <label className="mode-choice">
      <input type="radio" className="unseen" name={name} checked={checked} onChange={onPick} />
      {label}
    </label>
  );
}
