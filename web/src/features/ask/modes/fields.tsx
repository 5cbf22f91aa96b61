import "./fields.css";

interface NumberProps {
  label: string;
  least: number;
  most: number;
  /** What it is where nothing is said. */
  usual?: number;
  value: number | null | undefined;
  onSet: (value: number | null) => void;
}

/** A number that is taken when one is done with it, within its bounds; empty is nobody's choice. */
export function NumberField({ label, least, most, usual, value, onSet }: NumberProps) {
  function read(written: string): void {
    const number = Number(written);
    const isNone = written.trim() === "" || !Number.isFinite(number);
    onSet(isNone ? null : Math.min(most, Math.max(least, Math.round(number))));
  }
  return (
    <label className="plan-field">
      {label}
      <input
        type="number"
        key={value ?? "none"}
        min={least}
        max={most}
        placeholder={usual === undefined ? "default" : String(usual)}
        defaultValue={value ?? ""}
        onBlur={(event) => read(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && read(event.currentTarget.value)}
      />
    </label>
  );
}

interface SwitchProps {
  label: string;
  usual?: boolean;
  value: boolean | null | undefined;
  onSet: (value: boolean | null) => void;
}

export function Switch({ label, usual = false, value, onSet }: SwitchProps) {
  return (
    <label className="plan-switch">
      <input
        type="checkbox"
        checked={value ?? usual}
        onChange={({ target }) => onSet(target.checked === usual ? null : target.checked)}
      />
      {label}
    </label>
  );
}

interface ChoiceProps {
  label: string;
  value: boolean | null | undefined;
  words: { unset: string; yes: string; no: string };
  onSet: (value: boolean | null) => void;
}

/** Yes, no, or as it is without a choice. */
export function ChoiceField({ label, value, words, onSet }: ChoiceProps) {
  const now = value == null ? "unset" : value ? "yes" : "no";
  return (
    <label className="plan-field">
      {label}
      <select
        value={now}
        onChange={({ target }) => onSet(target.value === "unset" ? null : target.value === "yes")}
      >
        {Object.entries(words).map(([name, word]) => (
          <option key={name} value={name}>
            {word}
          </option>
        ))}
      </select>
    </label>
  );
}
