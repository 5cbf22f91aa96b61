import { useId } from "react";
import type { Conversation, Sampling } from "./conversation";
import "./manner.css";

interface Props {
  conversation: Conversation;
  /** Whether a mode answers, which takes fewer of them. */
  isForMode: boolean;
  onChange: (edit: (conversation: Conversation) => Conversation) => void;
}

const SETTINGS: { name: keyof Sampling; words: string; step: number; most?: number }[] = [
  { name: "temperature", words: "0 always says the likeliest; higher is freer", step: 0.1 },
  { name: "top_p", words: "of the likeliest words that make up this share", step: 0.05, most: 1 },
  { name: "top_k", words: "of this many likeliest words", step: 1 },
  { name: "min_p", words: "of words this likely, beside the likeliest", step: 0.01, most: 1 },
  { name: "max_tokens", words: "where an answer ends at the latest", step: 1 },
];

const NOT_OF_MODES: (keyof Sampling)[] = ["top_k", "min_p"];

/** System prompt and sampling of one conversation. What is left empty is the model's own choice. */
export function Manner({ conversation, isForMode, onChange }: Props) {
  const { system, sampling } = conversation;
  const settings = SETTINGS.filter(({ name }) => !isForMode || !NOT_OF_MODES.includes(name));
  const given = settings.filter(({ name }) => sampling[name] !== undefined);
  const count = given.length + (system.trim() ? 1 : 0);

  function set(name: keyof Sampling, written: string): void {
    onChange((now) => {
      const { [name]: _, ...others } = now.sampling;
      const value = Number(written);
      const isNone = written.trim() === "" || !Number.isFinite(value);
      return { ...now, sampling: isNone ? others : { ...others, [name]: value } };
    });
  }

  return (
    <details className="manner">
      <summary>System prompt and sampling{count > 0 && ` · ${count} set`}</summary>
      <label className="manner-system">
        System prompt
        <textarea
          rows={3}
          value={system}
          placeholder="The model's own"
          onChange={(event) => onChange((now) => ({ ...now, system: event.target.value }))}
        />
      </label>
      <div className="manner-settings">
        {settings.map(({ name, words, step, most }) => (
          <Setting
            key={name}
            name={name}
            words={words}
            step={step}
            most={most}
            value={sampling[name]}
            onSet={(written) => set(name, written)}
          />
        ))}
      </div>
    </details>
  );
}

interface SettingProps {
  name: string;
  words: string;
  step: number;
  most: number | undefined;
  value: number | undefined;
  onSet: (written: string) => void;
}

function Setting({ name, words, step, most, value, onSet }: SettingProps) {
  const help = useId();
  return (
    <label>
      <code>{name}</code>
      <input
        type="number"
        min={0}
        max={most}
        step={step}
        placeholder="default"
        aria-describedby={help}
        defaultValue={value ?? ""}
        onChange={(event) => onSet(event.target.value)}
      />
      <small id={help}>{words}</small>
    </label>
  );
}
