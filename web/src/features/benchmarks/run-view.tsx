import { useQueryClient } from "@tanstack/react-query";
import { Banner } from "../../components/banner";
import { Press } from "../../components/press";
import { countWords, memoryWords, secondsWords, timeWords } from "../../lib/format";
import { go, Link } from "../../lib/router";
import { Bars } from "./bars";
import { columnsOf } from "./columns";
import { Exports } from "./exports";
import { Judged } from "./judged";
import { ModelTable } from "./model-table";
import { Progress } from "./progress";
import { PromptView } from "./prompt-view";
import { Remove } from "./remove";
import { isActive, useRun, useRuns } from "./runs";
import { Scatter } from "./scatter";
import { Waiting } from "./waiting";
import type { Benchmark } from "./wire";
import { fleetWords, mannerWords, statusWords, titleOf, toneOf, tookSeconds } from "./words";

interface Props {
  id: number;
  /** Which of its prompts is open, from 1. */
  prompt: number;
  nameOf: (model: string) => string;
}

/** One run: how far it is, or what it came to. */
export function RunView({ id, prompt, nameOf }: Props) {
  const client = useQueryClient();
  const { data: run, error } = useRun(id);
  return (
    <>
      <header className="bench-head">
        <Link className="bench-link" to="benchmarks">
          All runs
        </Link>
        <h1>{run ? titleOf(run) : `Benchmark ${id}`}</h1>
        {run && <Facts run={run} nameOf={nameOf} />}
      </header>
      {run === undefined ? (
        <Waiting error={error} />
      ) : (
        <>
          <Actions run={run} />
          {isActive(run) && <Progress run={run} client={client} nameOf={nameOf} />}
          {run.error && (
            <Banner tone={run.status === "failed" ? "bad" : "warn"} title={run.error.error}>
              {run.error.detail}
            </Banner>
          )}
          {isKnown(run) && <Results run={run} nameOf={nameOf} />}
          <Notes run={run} />
          {isKnown(run) && <PromptView run={run} place={prompt} nameOf={nameOf} />}
        </>
      )}
    </>
  );
}

function Facts({ run, nameOf }: { run: Benchmark; nameOf: Props["nameOf"] }) {
  const seconds = isActive(run) ? null : tookSeconds(run, 0);
  const leftOut = run.by_model.filter(({ error }) => error !== null).length;
  return (
    <p className="bench-facts">
      <span className="bench-status" data-tone={toneOf(run)}>
        {statusWords(run)}
      </span>
      {leftOut > 0 && <span className="bench-refusal">{countWords(leftOut, "model")} left out</span>}
      <span>{timeWords(run.created_at)}</span>
      {seconds !== null && <span>took {secondsWords(seconds)}</span>}
      <span>{mannerWords(run, nameOf)}</span>
    </p>
  );
}

function Actions({ run }: { run: Benchmark }) {
  const others = useRuns().data?.pages.flatMap(({ benchmarks }) => benchmarks) ?? [];
  const ended = others.filter((other) => other.id !== run.id && !isActive(other));
  function compare(other: number): void {
    const [a, b] = [run.id, other].sort((one, two) => one - two);
    go("benchmarks", { a: String(a), b: String(b) });
  }
  return (
    <div className="bar">
      <Press available onPress={() => go("benchmarks", { new: "1", from: String(run.id) })}>
        RUN AGAIN
      </Press>
      {!isActive(run) && ended.length > 0 && (
        <select aria-label="Compare with" value="" onChange={(event) => compare(Number(event.target.value))}>
          <option value="">Compare with…</option>
          {ended.map((other) => (
            <option key={other.id} value={other.id}>
              {titleOf(other)}, {timeWords(other.created_at)}
            </option>
          ))}
        </select>
      )}
      {run.done_requests > 0 && <Exports run={run} />}
      {!isActive(run) && <Remove run={run} onRemoved={() => go("benchmarks")} />}
    </div>
  );
}

function Results({ run, nameOf }: { run: Benchmark; nameOf: Props["nameOf"] }) {
  const hasFigures = run.by_model.some(({ figures }) => figures.total_seconds !== null);
  return (
    <>
      <h2 className="section-title">Models, over all prompts</h2>
      <ModelTable label="Models, over all prompts" results={run.by_model} columns={columnsOf(run)} />
      {hasFigures && (
        <div className="bench-charts">
          <Scatter run={run} />
          <Bars run={run} />
        </div>
      )}
      {run.judgement && <Judged judgement={run.judgement} results={run.by_model} nameOf={nameOf} />}
    </>
  );
}

/** Whether anything has come out of it yet. */
function isKnown({ samples, by_model }: Benchmark): boolean {
  return samples.length > 0 || by_model.some(({ error }) => error !== null);
}

/** Under which conditions, and what became of the fleet. */
function Notes({ run }: { run: Benchmark }) {
  const { machine, notes, warm_ups } = run;
  const energy =
    machine.energy === null ? "This machine does not tell its energy." : `Energy: ${machine.energy}.`;
  const fleet = fleetWords(run);
  const isMeasured = machine.cpus > 0;
  return (
    <details className="bench-notes" open>
      <summary>Notes</summary>
      <ul>
        <li>
          Figures are medians; the bars under them go from the least to the most, thick from the 10th to the
          90th percentile.
        </li>
        {fleet && <li>{fleet}</li>}
        {notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
        {warm_ups > 0 && <li>Warm-ups before: {warm_ups} each.</li>}
        {isMeasured && (
          <li>
            {machine.engine === null ? "Engine unknown" : `llama-server ${machine.engine}`}, {machine.cpus}{" "}
            CPUs, {memoryWords(machine.memory_mb)} of memory. {energy}
          </li>
        )}
      </ul>
    </details>
  );
}
