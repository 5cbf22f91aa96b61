import { TableBox } from "../../components/table-box";
import { countWords, secondsWords, timeWords } from "../../lib/format";
import { Link } from "../../lib/router";
import { Remove } from "./remove";
import { isActive } from "./runs";
import type { Brief } from "./wire";
import { mannerWords, statusWords, titleOf, toneOf, tookSeconds } from "./words";
import "./history.css";

interface Props {
  runs: Brief[];
  /** Those that are to be compared; two at most. */
  ticked: number[];
  onTick: (ids: number[]) => void;
  nameOf: (model: string) => string;
}

const MOST_NAMES = 3;

/** Every run, newest first. */
export function History({ runs, ticked, onTick, nameOf }: Props) {
  // A third tick takes the place of the first.
  const tick = (id: number, on: boolean) =>
    onTick(on ? [...ticked, id].slice(-2) : ticked.filter((other) => other !== id));
  return (
    <TableBox label="Benchmarks">
      <table className="plain-table history" aria-label="Benchmarks">
        <thead>
          <tr>
            <th scope="col">
              <span className="unseen">Compare</span>
            </th>
            <th scope="col">Run</th>
            <th scope="col">Status</th>
            <th scope="col">Began</th>
            <th scope="col">Took</th>
            <th scope="col">Models</th>
            <th scope="col">Prompts</th>
            <th scope="col">How</th>
            <th scope="col">
              <span className="unseen">Delete</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <HistoryRow
              key={run.id}
              run={run}
              isTicked={ticked.includes(run.id)}
              onTick={(on) => tick(run.id, on)}
              nameOf={nameOf}
            />
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

interface RowProps {
  run: Brief;
  isTicked: boolean;
  onTick: (on: boolean) => void;
  nameOf: (model: string) => string;
}

function HistoryRow({ run, isTicked, onTick, nameOf }: RowProps) {
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={`Compare ${titleOf(run)}`}
          checked={isTicked}
          onChange={(event) => onTick(event.target.checked)}
        />
      </td>
      <th scope="row">
        <Link className="bench-link" to="benchmarks" query={{ run: String(run.id) }}>
          {titleOf(run)}
        </Link>
        {run.title !== null && <small className="bench-quiet"> {run.id}</small>}
      </th>
      <td>
        <span className="bench-status" data-tone={toneOf(run)}>
          {statusWords(run)}
        </span>
      </td>
      <td data-label="Began">{timeWords(run.created_at)}</td>
      <td data-label="Took">{tookWords(run)}</td>
      <td className="wraps" data-label="Models">
        {modelsWords(run.models.map(nameOf))}
      </td>
      <td className="wraps" data-label="Prompts">
        {promptsWords(run.prompts)}
      </td>
      <td className="wraps" data-label="How">
        {mannerWords(run, nameOf)}
      </td>
      <td className="history-end">{!isActive(run) && <Remove run={run} />}</td>
    </tr>
  );
}

function tookWords(run: Brief): string {
  const seconds = isActive(run) ? null : tookSeconds(run, 0);
  return seconds === null ? "–" : secondsWords(seconds);
}

function modelsWords(names: string[]): string {
  if (names.length <= MOST_NAMES) return names.join(", ");
  return `${names.slice(0, MOST_NAMES - 1).join(", ")} and ${names.length - MOST_NAMES + 1} more`;
}

function promptsWords(names: string[]): string {
  return names.length > MOST_NAMES ? countWords(names.length, "prompt") : names.join(", ");
}
