import type { QueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Press } from "../../components/press";
import { Link } from "../../lib/router";
import { cancel } from "./actions";
import type { Brief } from "./wire";
import { mannerWords, nowWords, progressWords, stageWords, titleOf } from "./words";
import "./progress.css";

interface Props {
  run: Brief;
  client: QueryClient;
  nameOf: (model: string) => string;
  /** Whether its title leads to it. */
  isLinked?: boolean;
}

/** How far a run is and what it does in this moment, with a way to end it. */
export function Progress({ run, client, nameOf, isLinked = false }: Props) {
  const [isAsked, setAsked] = useState(false);
  const title = titleOf(run);
  const isEnding = isAsked || run.now?.stage === "restoring";
  async function end(): Promise<void> {
    setAsked(true);
    await cancel(client, run);
  }
  return (
    <section className="run-progress" aria-label={`Progress of ${title}`}>
      <div className="run-progress-head">
        <h2>
          {isLinked ? (
            <Link className="bench-link" to="benchmarks" query={{ run: String(run.id) }}>
              {title}
            </Link>
          ) : (
            "Progress"
          )}
        </h2>
        {isLinked && <span className="bench-quiet">{mannerWords(run, nameOf)}</span>}
        <Press available={!isEnding} aria-label={`Cancel ${title}`} onPress={() => void end()}>
          CANCEL
        </Press>
      </div>
      <progress aria-label={`Requests of ${title}`} value={run.progress} max={1} />
      <p className="run-progress-words">
        <strong>{nowWords(run, nameOf)}</strong>
        <span>{progressWords(run)}</span>
      </p>
      <p className="unseen" role="status">
        {stageWords(run)}
      </p>
      {isEnding && (
        <p className="bench-quiet">
          What was measured is kept. The fleet is put back as it was; models that were stopped load again.
        </p>
      )}
    </section>
  );
}
