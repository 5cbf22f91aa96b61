import type { QueryOptions } from "../../../lib/api";
import type { Target } from "../targets";
import { ChoiceField, NumberField } from "./fields";
import { KINDS, type Plan, problemOf } from "./kinds";
import { Members } from "./members";
import { BenchmarkOptions, CouncilOptions, DebateOptions, type OptionsProps } from "./mode-options";
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
  const { models, options } = plan;
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
          <Own plan={plan} onSet={set} />
          <OfAll plan={plan} onSet={set} />
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

/** Without what is nobody's choice: that is the control plane's. */
function withoutNothing(options: QueryOptions): QueryOptions {
  const set = Object.entries(options).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(set) as QueryOptions;
}

function Own(props: OptionsProps) {
  switch (props.plan.mode) {
    case "council":
      return <CouncilOptions {...props} />;
    case "debate":
      return <DebateOptions {...props} />;
    case "benchmark":
      return <BenchmarkOptions {...props} />;
    default:
      return null;
  }
}

const STARTS = { unset: "as the settings say", yes: "are started", no: "are left out" };
const THINKS = { unset: "as they do by themselves", yes: "on", no: "off" };

/** What every mode takes. */
function OfAll({ plan: { options }, onSet }: OptionsProps) {
  return (
    <>
      <ChoiceField
        label="Stopped models"
        value={options.start}
        words={STARTS}
        onSet={(start) => onSet({ start })}
      />
      <ChoiceField
        label="Thinking, of models that can"
        value={options.thinking}
        words={THINKS}
        onSet={(thinking) => onSet({ thinking })}
      />
      <NumberField
        label="Seed"
        least={0}
        most={4_294_967_295}
        value={options.seed}
        onSet={(seed) => onSet({ seed })}
      />
      <NumberField
        label="Seconds for the whole answer"
        least={1}
        most={1_000_000}
        value={options.deadline_seconds}
        onSet={(deadline_seconds) => onSet({ deadline_seconds })}
      />
    </>
  );
}
