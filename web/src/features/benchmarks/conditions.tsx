import { type Dispatch, type ReactNode, useId } from "react";
import type { Choice, Step } from "./choice";
import type { Contestant } from "./contestants";

interface Props {
  choice: Choice;
  contestants: Contestant[];
  step: Dispatch<Step>;
}

/** How the models are asked, and who judges their answers. */
export function Conditions({ choice, contestants, step }: Props) {
  const edit = (of: Partial<Choice>) => step({ do: "edit", of });
  const judgesItself = choice.judge !== "" && choice.models.includes(choice.judge);
  return (
    <fieldset className="new-run-part">
      <legend>How</legend>
      <div className="manners">
        <Manner name="together" choice={choice} edit={edit} title="Together">
          All models are up at once, as in daily use. Those that run stay; the others are started, and stopped
          afterwards. Quick, but they share the memory and its bandwidth.
        </Manner>
        <Manner name="isolated" choice={choice} edit={edit} title="In isolation">
          Every running model is stopped. Then one after another is started, warmed up, measured and stopped,
          with the machine to itself. Afterwards what ran before is brought back. The fairest figures, and
          load times.
        </Manner>
      </div>
      <div className="condition-fields">
        <Field
          label="Repetitions"
          value={choice.repetitions}
          least={1}
          most={100}
          onSet={(repetitions) => edit({ repetitions })}
        >
          of every prompt; three show how much figures vary
        </Field>
        <Field
          label="Warm-ups"
          value={choice.warmUps}
          least={0}
          most={10}
          onSet={(warmUps) => edit({ warmUps })}
        >
          requests to each model before, not measured
        </Field>
        <label>
          Judge
          <select
            aria-label="Judge"
            aria-describedby="judge-help"
            value={choice.judge}
            onChange={(event) => edit({ judge: event.target.value })}
          >
            <option value="">Nobody</option>
            {contestants.map(({ name, label }) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
          <small id="judge-help">
            {judgesItself
              ? "It judges its own answers too, though it does not see whose they are."
              : "compares answers in pairs, blind and in both orders; a large model is best"}
          </small>
        </label>
      </div>
      <More choice={choice} edit={edit} />
    </fieldset>
  );
}

interface EditProps {
  choice: Choice;
  edit: (of: Partial<Choice>) => void;
}

interface MannerProps extends EditProps {
  name: Choice["manner"];
  title: string;
  children: ReactNode;
}

function Manner({ name, choice, edit, title, children }: MannerProps) {
  const help = useId();
  return (
    <label className="manner-card" data-chosen={choice.manner === name}>
      <input
        type="radio"
        name="manner"
        aria-label={title}
        aria-describedby={help}
        checked={choice.manner === name}
        onChange={() => edit({ manner: name })}
      />
      <strong>{title}</strong>
      <small id={help}>{children}</small>
    </label>
  );
}

/** What few change. */
function More({ choice, edit }: EditProps) {
  return (
    <details className="condition-more">
      <summary>Title, sampling, length, cache</summary>
      <div className="condition-fields">
        <label>
          Title
          <input
            value={choice.title}
            maxLength={200}
            placeholder="None"
            onChange={(event) => edit({ title: event.target.value })}
          />
          <small>to find it again</small>
        </label>
        <Field
          label="Temperature"
          value={choice.temperature}
          least={0}
          most={2}
          step={0.1}
          onSet={(temperature) => edit({ temperature })}
        >
          0 gives the same answer each time
        </Field>
        <Field label="Seed" value={choice.seed} least={0} most={2 ** 32 - 1} onSet={(seed) => edit({ seed })}>
          of chance, where the temperature is above 0
        </Field>
        <Field
          label="Tokens of every answer"
          value={choice.maxTokens ?? Number.NaN}
          least={1}
          most={100_000}
          onSet={(tokens) => edit({ maxTokens: Number.isNaN(tokens) ? null : tokens })}
        >
          empty: as each prompt has it
        </Field>
      </div>
      <label className="bar-check">
        <input
          type="checkbox"
          checked={choice.fixedLength}
          onChange={(event) => edit({ fixedLength: event.target.checked })}
        />
        Every answer exactly so long: fair to compare in speed, useless to judge
      </label>
      <label className="bar-check">
        <input
          type="checkbox"
          checked={choice.reusePromptCache}
          onChange={(event) => edit({ reusePromptCache: event.target.checked })}
        />
        Reuse the prompt cache, as in daily use: repetitions then read little
      </label>
      <label className="bar-check">
        <input
          type="checkbox"
          checked={choice.turns === "at_once"}
          disabled={choice.manner === "isolated"}
          onChange={(event) => edit({ turns: event.target.checked ? "at_once" : "in_turn" })}
        />
        Ask all models at the same time: how they do under shared load
        {choice.manner === "isolated" && " (only together)"}
      </label>
    </details>
  );
}

interface FieldProps {
  label: string;
  value: number;
  least: number;
  most: number;
  step?: number;
  onSet: (value: number) => void;
  children: ReactNode;
}

function Field({ label, value, least, most, step = 1, onSet, children }: FieldProps) {
  const help = useId();
  return (
    <label>
      {label}
      <input
        type="number"
        aria-label={label}
        aria-describedby={help}
        min={least}
        max={most}
        step={step}
        value={Number.isNaN(value) ? "" : value}
        onChange={(event) => onSet(event.target.valueAsNumber)}
      />
      <small id={help}>{children}</small>
    </label>
  );
}
