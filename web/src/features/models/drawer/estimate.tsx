import type { Model, Plan } from "../../../lib/api";
import { contextWords, countWords, memoryWords } from "../../../lib/format";
import { estimatedMb } from "./plans";
import "./estimate.css";

const PARTS: { key: keyof Plan["estimate"]; label: string }[] = [
  { key: "weights_mb", label: "Weights" },
  { key: "parts_mb", label: "Projector and draft" },
  { key: "kv_cache_mb", label: "Context (KV cache)" },
  { key: "state_mb", label: "State" },
  { key: "compute_mb", label: "Work space" },
  { key: "prompt_cache_mb", label: "Prompt cache" },
  { key: "process_mb", label: "Program" },
];

interface EstimateProps {
  model: Model;
  plan: Plan;
  /** The plan of what is saved, where this is one of what is not. */
  before?: Plan | undefined;
}

/** What a start would take, of what, and whether that fits. */
export function Estimate({ model, plan, before }: EstimateProps) {
  const totalMb = estimatedMb(plan);
  const parts = PARTS.filter(({ key }) => plan.estimate[key] >= 0.5);
  return (
    <div className="estimate">
      <p className="estimate-sum">
        <strong>
          {plan.is_measured ? "" : "~"}
          {memoryWords(plan.needed_mb)}
        </strong>{" "}
        {before && <Change mb={totalMb - estimatedMb(before)} />}
        <span className="estimate-fit" data-fits={plan.fits}>
          {fitWords(model, plan, before !== undefined)}
        </span>
      </p>
      <div className="estimate-bar" aria-hidden="true">
        {parts.map(({ key }) => (
          <span key={key} data-part={key} style={{ flexGrow: plan.estimate[key] }} />
        ))}
      </div>
      <ul className="estimate-parts" aria-label="What takes it">
        {parts.map(({ key, label }) => (
          <li key={key} data-part={key}>
            {label} <strong>{memoryWords(plan.estimate[key])}</strong>
          </li>
        ))}
      </ul>
      <p>{slotWords(plan)}</p>
      {plan.is_measured && (
        <p className="quiet">The sum was measured when it last ran like this; its parts are reckoned.</p>
      )}
      {plan.notice && <p className="drawer-warning">{plan.notice}</p>}
      {!plan.fits && plan.detail && <p className="drawer-warning">{plan.detail}</p>}
    </div>
  );
}

function Change({ mb }: { mb: number }) {
  if (Math.abs(mb) < 0.5) return <span className="estimate-change">as before </span>;
  return (
    <span className="estimate-change" data-more={mb > 0}>
      {mb > 0 ? "+" : "−"}
      {memoryWords(Math.abs(mb))}{" "}
    </span>
  );
}

/** `isDraft`: it is a plan of what is not saved. */
export function fitWords(model: Model, { fits, evicts, free_mb }: Plan, isDraft: boolean): string {
  if (!fits) return `does not fit: ${memoryWords(free_mb)} are free`;
  if (model.status === "running") return isDraft || model.restart_required ? "once restarted" : "runs now";
  if (evicts.length > 0) return `fits once ${evicts.join(" and ")} made room`;
  return `fits: ${memoryWords(free_mb)} are free`;
}

/** What requests may count on. */
export function slotWords({ context_tokens, request_tokens, slots }: Plan): string {
  const each = `${contextWords(request_tokens)} tokens`;
  if (slots === 1) return `One request at a time, with a context of ${each}.`;
  const shared = request_tokens === context_tokens ? " that they share" : " each";
  return `${countWords(slots, "request")} at a time, with a context of ${each}${shared}.`;
}
