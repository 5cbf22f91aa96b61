import type { Model } from "../../lib/api";
import { dismiss, type Note } from "./notes";
import "./failure.css";

/** Why it failed, where it failed: the case, the reason in words, and the log's last lines as they were. */
export function Failure({ model, failure }: { model: Model; failure: Note }) {
  const [reason, log] = split(failure.detail);
  return (
    <section className="failure" aria-label={`Failure of ${model.display_name}`}>
      <div className="failure-text">
        <strong>{failure.error}</strong>
        {reason && <p>{reason}</p>}
        {log && <pre>{log}</pre>}
      </div>
      <button
        type="button"
        className="button button-plain"
        aria-label={`Dismiss failure of ${model.display_name}`}
        onClick={() => dismiss(model)}
      >
        Dismiss
      </button>
    </section>
  );
}

/** The first line is the reason; what follows are exit code and log lines. */
function split(detail: string): [reason: string, log: string] {
  const end = detail.indexOf("\n");
  return end === -1 ? [detail, ""] : [detail.slice(0, end), detail.slice(end + 1).trim()];
}
