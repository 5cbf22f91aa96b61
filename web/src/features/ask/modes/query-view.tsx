import { type ReactNode, useEffect, useState } from "react";
import { CopyButton } from "../../../components/copy-button";
import type { QueryRecord } from "../../../lib/api";
import { countWords, secondsWords } from "../../../lib/format";
import { FailureNote } from "../answer";
import { Compare } from "./compare";
import { Council } from "./council";
import { Debate } from "./debate";
import { FinalAnswer } from "./final-answer";
import { Fold } from "./fold";
import { modeLabel } from "./kinds";
import { useNames } from "./names";
import { outcomeOf } from "./outcome";
import { notesOf, notesOfAll, phaseOf, played } from "./reading";
import { Notes, Speech } from "./speech";
import { Timeline } from "./timeline";
import "../../../components/plain-table.css";
import "./query-view.css";

interface Props {
  record: QueryRecord;
  /** What can be done with an answer that has ended. */
  children?: ReactNode;
}

/** How a mode answers, as it happens and afterwards. */
export function QueryView({ record, children }: Props) {
  // What one watches stays as it is when it ends; what one comes back to is folded.
  const [isUnfolded] = useState(record.status === "running");
  const isRunning = record.status === "running";
  const mode = played(record);
  const { failure } = outcomeOf(record);
  return (
    <div className="query" data-status={record.status}>
      <Head record={record} />
      {record.choice && <ChoiceNote choice={record.choice} />}
      <Notes notes={notesOfAll(record)} />
      {mode === "council" && <Council record={record} isUnfolded={isUnfolded} />}
      {mode === "debate" && <Debate record={record} />}
      {mode === "benchmark" && <Compare record={record} />}
      {mode === "two_stage" && <Draft record={record} isUnfolded={isUnfolded} />}
      {mode !== "benchmark" && <FinalAnswer record={record} />}
      {record.status === "cancelled" && <p className="answer-quiet">Stopped.</p>}
      {failure && <FailureNote failure={failure} />}
      {!isRunning && (
        <footer className="answer-foot">
          {record.answer && <CopyButton label="Copy the answer" text={record.answer.text} />}
          {children}
        </footer>
      )}
      {!isRunning && record.turns.length > 0 && (
        <Fold title="Who spoke when" aside={totals(record)} isOpenAtFirst={false}>
          <Timeline record={record} />
        </Fold>
      )}
    </div>
  );
}

/** Which mode, what happens now, and for how long. */
function Head({ record }: { record: QueryRecord }) {
  const { labelOf } = useNames();
  const mode = record.choice
    ? `${modeLabel("auto")}: ${modeLabel(record.choice.mode)}`
    : modeLabel(record.mode);
  return (
    <header className="query-head">
      <strong>{mode}</strong>
      <span role="status">{phaseOf(record, labelOf)}</span>
      <Elapsed record={record} />
    </header>
  );
}

function Elapsed({ record: { status, began_at, total_seconds } }: { record: QueryRecord }) {
  const now = useNow(status === "running");
  if (total_seconds !== null) return <span className="query-time">{secondsWords(total_seconds)}</span>;
  if (status !== "running") return null;
  return <span className="query-time">{Math.max(0, Math.round((now - Date.parse(began_at)) / 1000))} s</span>;
}

const TICK_MS = 1000;

function useNow(moves: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!moves) return;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [moves]);
  return now;
}

function totals({ turns, usage, model_seconds, total_seconds }: QueryRecord): string {
  const words = [countWords(turns.length, "turn"), countWords(usage.output_tokens ?? 0, "token")];
  if (total_seconds !== null) words.push(secondsWords(total_seconds));
  if (model_seconds !== null) words.push(`models ${secondsWords(model_seconds)}`);
  return words.join(" · ");
}

/** Why `auto` has chosen as it did. */
function ChoiceNote({ choice: { why, score, parts } }: { choice: NonNullable<QueryRecord["choice"]> }) {
  return (
    <details className="choice">
      <summary>{why}</summary>
      <table className="plain-table">
        <caption className="unseen">What the question weighs</caption>
        <tbody>
          {parts.map(({ points, reason }) => (
            <tr key={reason}>
              <td>+ {points}</td>
              <td className="wraps">{reason}</td>
            </tr>
          ))}
          <tr>
            <td>
              <strong>{score}</strong>
            </td>
            <td className="wraps">in all; 3 asks for a BALANCED model, 6 for a POWERFUL one</td>
          </tr>
        </tbody>
      </table>
    </details>
  );
}

function Draft({ record, isUnfolded }: { record: QueryRecord; isUnfolded: boolean }) {
  const drafts = record.turns.filter(({ role }) => role === "draft");
  if (drafts.length === 0) return null;
  const ended = drafts.at(-1)?.ended_seconds;
  return (
    <Fold
      title="Draft"
      aside={ended == null ? "" : secondsWords(ended - (drafts[0]?.began_seconds ?? 0))}
      notes={notesOf(record, drafts).length}
      isOpenAtFirst={isUnfolded}
    >
      <Speech record={record} turns={drafts} />
    </Fold>
  );
}
