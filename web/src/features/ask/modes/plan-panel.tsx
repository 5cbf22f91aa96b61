import type { QueryOptions } from "../../../lib/api";
import type { Target } from "../targets";
import { KINDS, type Plan, problemOf } from "./kinds";
import { Members } from "./members";
import { PersonasField } from "./personas";
import "./plan-panel.css";

interface Props {
  plan: Plan;
  targets: Target[];
  onChange: (plan: Plan) => void;
}

/** What may be said of how a mode is to answer. Nothing of it must be. */
export function PlanPanel({ plan, targets, onChange }: Props) {
  const kind = KINDS.find(({ mode }) => mode === plan.mode);
  if (!kind) return null;
  const { mode, models, options } = plan;
  const problem = problemOf(plan);
  const set = (of: QueryOptions) => onChange({ ...plan, options: withoutNothing({ ...options, ...of }) });
  const count = Object.keys(options).length;
  return (
    <div className="plan">
      <Members
        kind={kind}
        models={models}
        targets={targets}
        onChoose={(chosen) => onChange({ ...plan, models: chosen })}
      />
      <details className="plan-options">
        <summary>
          {kind.label} options{count > 0 && ` · ${count} set`}
        </summary>
        <div className="plan-fields">
          {mode === "council" && (
            <>
              {models.length === 0 && (
                <NumberField
                  label="Members"
                  least={3}
                  most={8}
                  usual={3}
                  value={options.members}
                  onSet={(members) => set({ members })}
                />
              )}
              <Switch
                label="Refine answers after the reviews"
                usual
                value={options.refine}
                onSet={(refine) => set({ refine })}
              />
            </>
          )}
          {mode === "debate" && (
            <>
              <PersonasField personas={options.personas} onSet={(personas) => set({ personas })} />
              <NumberField
                label="Turns of both together, at most"
                least={2}
                most={40}
                usual={6}
                value={options.turns}
                onSet={(turns) => set({ turns })}
              />
              <Switch
                label="A moderator between the rounds"
                value={options.moderator}
                onSet={(moderator) => set({ moderator })}
              />
            </>
          )}
          {mode === "benchmark" && (
            <Switch
              label="Ask all at once (their speeds then are not their own)"
              value={options.in_parallel}
              onSet={(in_parallel) => set({ in_parallel })}
            />
          )}
          <ChoiceField
            label="Stopped models"
            value={options.start}
            words={STARTS}
            onSet={(start) => set({ start })}
          />
          <ChoiceField
            label="Thinking, of models that can"
            value={options.thinking}
            words={THINKS}
            onSet={(thinking) => set({ thinking })}
          />
          <NumberField
            label="Seed"
            least={0}
            most={4_294_967_295}
            value={options.seed}
            onSet={(seed) => set({ seed })}
          />
          <NumberField
            label="Seconds for the whole answer"
            least={1}
            most={1_000_000}
            value={options.deadline_seconds}
            onSet={(deadline_seconds) => set({ deadline_seconds })}
          />
        </div>
      </details>
      {problem && (
        <p className="plan-problem" role="status">
          {problem}
        </p>
      )}
    </div>
  );
}

const STARTS = { unset: "as the settings say", yes: "are started", no: "are left out" };
const THINKS = { unset: "as they do by themselves", yes: "on", no: "off" };

/** Without what is nobody's choice: that is the control plane's. */
function withoutNothing(options: QueryOptions): QueryOptions {
  const set = Object.entries(options).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(set) as QueryOptions;
}

interface NumberProps {
  label: string;
  least: number;
  most: number;
  /** What it is where nothing is said. */
  usual?: number;
  value: number | null | undefined;
  onSet: (value: number | null) => void;
}

function NumberField({ label, least, most, usual, value, onSet }: NumberProps) {
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

function Switch({ label, usual = false, value, onSet }: SwitchProps) {
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

function ChoiceField({ label, value, words, onSet }: ChoiceProps) {
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
