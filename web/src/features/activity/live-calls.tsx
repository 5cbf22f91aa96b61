import { useEffect, useState } from "react";
import { Press } from "../../components/press";
import { TableBox } from "../../components/table-box";
import { countWords, secondsWords } from "../../lib/format";
import { cancel } from "./cancel";
import { STAGES } from "./outcomes";

import { useInFlight, useQueue } from "./traffic";
import type { LiveCall } from "./wire";

const TICK_MS = 500;

/** Requests in flight, each with a way to end it. */
export function LiveCalls({ nameOf }: { nameOf: (modelId: string) => string }) {
  const { data, error, dataUpdatedAt } = useInFlight();
  const now = useNow(data !== undefined && data.calls.length > 0);
  if (data === undefined) return <Waiting error={error} />;
  if (data.calls.length === 0) return <p className="section-note">No request is in flight.</p>;
  const older = Math.max(0, now - dataUpdatedAt) / 1000;
  return (
    <>
      <TableBox label="Requests in flight">
        <table className="plain-table" aria-label="Requests in flight">
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">Stage</th>
              <th scope="col">So far</th>
              <th scope="col">First byte</th>
              <th scope="col">Client</th>
              <th scope="col">Path</th>
              <th scope="col">
                <span className="unseen">Cancel</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data.calls.map((call) => (
              <LiveRow key={call.id} call={call} older={older} nameOf={nameOf} />
            ))}
          </tbody>
        </table>
      </TableBox>
      {data.total > data.calls.length && (
        <p className="section-note">
          {countWords(data.total - data.calls.length, "younger request")} not shown.
        </p>
      )}
    </>
  );
}

interface LiveRowProps {
  call: LiveCall;
  older: number;
  nameOf: (modelId: string) => string;
}

function LiveRow({ call, older, nameOf }: LiveRowProps) {
  const { id, model_id, asked, stage, seconds, first_byte_seconds, client, path } = call;
  const [isAsked, setAsked] = useState(false);
  const name = model_id === null ? asked : nameOf(model_id);
  async function end(): Promise<void> {
    setAsked(true);
    await cancel(id, name);
    setAsked(false);
  }
  return (
    <tr>
      <th scope="row">{name}</th>
      <td data-stage={stage}>{STAGES[stage]}</td>
      <td>{secondsWords(seconds + older)}</td>
      <td>{secondsWords(first_byte_seconds)}</td>
      <td className="wraps">{client}</td>
      <td>{path}</td>
      <td>
        <Press
          available={!isAsked}
          aria-label={`Cancel request ${id} for ${name}`}
          onPress={() => void end()}
        >
          CANCEL
        </Press>
      </td>
    </tr>
  );
}

/** Who waits for which model, and how many are being answered. */
export function QueueLines({ nameOf }: { nameOf: (modelId: string) => string }) {
  const { data, error } = useQueue();
  if (data === undefined) return <Waiting error={error} />;
  if (data.lines.length === 0) return <p className="section-note">Nobody waits for a model.</p>;
  return (
    <TableBox label="Queue">
      <table className="plain-table" aria-label="Queue">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Waiting</th>
            <th scope="col">At its servers</th>
            <th scope="col">Longest wait</th>
          </tr>
        </thead>
        <tbody>
          {data.lines.map((line) => (
            <tr key={line.model_id}>
              <th scope="row">{nameOf(line.model_id)}</th>
              <td>{line.waiting}</td>
              <td>
                {line.in_flight} of {line.limit}
                {line.is_held_back && ", held back: it makes room for another model"}
              </td>
              <td>{line.waiting > 0 ? secondsWords(line.oldest_seconds) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

/** Nothing is known yet, or nothing can be. */
export function Waiting({ error }: { error: Error | null }) {
  return <p className="section-note">{error ? error.message : "Asking the control plane…"}</p>;
}

/** The time, moving for as long as something on the page depends on it. */
function useNow(moves: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!moves) return;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [moves]);
  return now;
}
