import type { Dispatch } from "react";
import { countWords } from "../../lib/format";
import type { Choice, OwnPrompt, Step } from "./choice";
import type { PromptSet } from "./wire";

interface Props {
  choice: Choice;
  sets: PromptSet[];
  step: Dispatch<Step>;
}

/** What the models are asked: built-in sets, prompts of one's own, or both. */
export function PromptPicker({ choice, sets, step }: Props) {
  return (
    <fieldset className="new-run-part">
      <legend>Prompts</legend>
      <ul className="set-list">
        {sets.map((set) => (
          <li key={set.name}>
            <SetPick set={set} isOn={choice.sets.includes(set.name)} step={step} />
          </li>
        ))}
      </ul>
      {choice.own.map((prompt, index) => (
        <Own key={prompt.key} prompt={prompt} number={index + 1} step={step} />
      ))}
      <div className="bar">
        <button type="button" className="button" onClick={() => step({ do: "add" })}>
          WRITE A PROMPT
        </button>
      </div>
    </fieldset>
  );
}

interface SetPickProps {
  set: PromptSet;
  isOn: boolean;
  step: Dispatch<Step>;
}

function SetPick({ set: { name, title, description, prompts }, isOn, step }: SetPickProps) {
  return (
    <>
      <label className="pick">
        <input
          type="checkbox"
          aria-label={title}
          checked={isOn}
          onChange={(event) => step({ do: "set", name, on: event.target.checked })}
        />
        <span>{title}</span>
        <small>{countWords(prompts.length, "prompt")}</small>
      </label>
      <details className="set-more">
        <summary>{description}</summary>
        <dl>
          {prompts.map((prompt) => (
            <div key={prompt.name}>
              <dt>
                {prompt.name}, {prompt.fixed_length ? "exactly" : "at most"} {prompt.max_tokens} tokens
              </dt>
              <dd>{prompt.text}</dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}

interface OwnProps {
  prompt: OwnPrompt;
  number: number;
  step: Dispatch<Step>;
}

function Own({ prompt, number, step }: OwnProps) {
  const { key, name, text, system, maxTokens, fixedLength } = prompt;
  const write = (of: Partial<OwnPrompt>) => step({ do: "write", key, of });
  return (
    <fieldset className="own-prompt">
      <legend className="unseen">Your prompt {number}</legend>
      <label className="own-text">
        Your prompt {number}
        <textarea rows={4} value={text} onChange={(event) => write({ text: event.target.value })} />
      </label>
      <label>
        Name
        <input
          value={name}
          maxLength={100}
          placeholder="Its first words"
          onChange={(event) => write({ name: event.target.value })}
        />
      </label>
      <label>
        Tokens of the answer
        <input
          type="number"
          min={1}
          max={100_000}
          value={Number.isNaN(maxTokens) ? "" : maxTokens}
          onChange={(event) => write({ maxTokens: event.target.valueAsNumber })}
        />
      </label>
      <label className="own-text">
        System prompt
        <textarea
          rows={2}
          value={system}
          placeholder="None"
          onChange={(event) => write({ system: event.target.value })}
        />
      </label>
      <label className="bar-check">
        <input
          type="checkbox"
          checked={fixedLength}
          onChange={(event) => write({ fixedLength: event.target.checked })}
        />
        Exactly so many tokens
      </label>
      <button
        type="button"
        className="button button-plain"
        aria-label={`Remove your prompt ${number}`}
        onClick={() => step({ do: "drop", key })}
      >
        Remove
      </button>
    </fieldset>
  );
}
