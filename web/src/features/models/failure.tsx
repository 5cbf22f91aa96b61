import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import { contextWords } from "../../lib/format";
import { Link } from "../../lib/router";
import { useRemedies } from "./mending";
import { dismiss, type Note } from "./notes";
import { logOf, type Remedy, reasonOf, remediesFor } from "./remedies";
import "./failure.css";

/** Why it failed, where it failed: the case, the reason in words, what to do next, and the log's last lines folded. */
export function Failure({ model, failure }: { model: Model; failure: Note }) {
  const [reason, log] = [reasonOf(failure.detail), logOf(failure.detail)];
  return (
    <section className="failure" aria-label={`Failure of ${model.display_name}`}>
      <div className="failure-text">
        <strong>{failure.error}</strong>
        {reason && <p>{reason}</p>}
        {log && (
          <details>
            <summary>Last log lines ({log.split("\n").length})</summary>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
            <pre tabIndex={0}>{log}</pre>
          </details>
        )}
      </div>
      <div className="failure-remedies">
        {remediesFor(failure, model).map((remedy, index) => (
          <RemedyButton key={remedy.does} model={model} remedy={remedy} isFirst={index === 0} />
        ))}
        <Press
          className="button-plain"
          aria-label={`Dismiss failure of ${model.display_name}`}
          available
          onPress={() => dismiss(model)}
        >
          Dismiss
        </Press>
      </div>
    </section>
  );
}

interface RemedyProps {
  model: Model;
  remedy: Remedy;
  isFirst: boolean;
}

function RemedyButton({ model, remedy, isFirst }: RemedyProps) {
  const { mend, isBusy } = useRemedies(model);
  const words = wordsFor(remedy, model);
  const look = isFirst ? "" : "button-plain";
  if (remedy.does === "log" || remedy.does === "engine") {
    const [to, query] = remedy.does === "log" ? ["logs", { of: model.model_id }] : ["system", {}];
    return (
      <Link className={`button ${look}`} to={to} query={query} aria-label={`${words}: ${model.display_name}`}>
        {words}
      </Link>
    );
  }
  return (
    <Press
      className={look}
      aria-label={`${words}: ${model.display_name}`}
      available={!isBusy}
      onPress={() => mend(remedy)}
    >
      {words}
    </Press>
  );
}

function wordsFor(remedy: Remedy, model: Model): string {
  switch (remedy.does) {
    case "retry":
      return "Try again";
    case "force":
      return "Start anyway";
    case "smaller":
      return `Try with ${contextWords(remedy.contextTokens)} context`;
    case "port":
      return model.port_is_pinned ? "Use an automatic port" : "Choose a port";
    case "settings":
      return "Open the settings";
    case "rescan":
      return "Look for the file again";
    case "engine":
      return "See the engine";
    case "log":
      return "Open the log";
  }
}
