import { memoryWords, rateWords, secondsWords } from "../../lib/format";
import type { Benchmark, Figures, ModelResult, Spread } from "./wire";

/** A figure of a model: what it is called, how it is read, and which end of it is better. */
export interface Column {
  id: string;
  label: string;
  hint: string;
  better: "more" | "less" | null;
  of: (result: ModelResult) => number | null;
  /** Of how it varies from request to request; null where there is only one figure. */
  spreadOf: (result: ModelResult) => Spread | null;
  words: (value: number) => string;
}

export interface Order {
  by: string;
  descending: boolean;
}

// Of fewer, a spread says next to nothing.
const LEAST_COUNT = 3;

const joules = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} J`;
const count = (value: number) => String(Math.round(value));
const score = (value: number) => value.toFixed(2);

function spread(id: keyof Figures, of: Omit<Column, "id" | "of" | "spreadOf">): Column {
  const spreadOf = ({ figures }: ModelResult) => figures[id];
  return { ...of, id, spreadOf, of: (result) => spreadOf(result)?.median ?? null };
}

function single(id: string, of: Omit<Column, "id" | "spreadOf">): Column {
  return { ...of, id, spreadOf: () => null };
}

/** What varies from request to request, of one prompt or of all. */
const SPREADS: Column[] = [
  spread("first_token_seconds", {
    label: "First token",
    hint: "from when the server was given the request",
    better: "less",
    words: secondsWords,
  }),
  spread("prompt_per_second", {
    label: "Prompt",
    hint: "how fast prompts are read, by the server's own word",
    better: "more",
    words: rateWords,
  }),
  spread("output_per_second", {
    label: "Generation",
    hint: "how fast answers are written, by the server's own word",
    better: "more",
    words: rateWords,
  }),
  spread("total_seconds", { label: "Total", hint: "a whole answer", better: "less", words: secondsWords }),
  spread("output_tokens", {
    label: "Tokens",
    hint: "of an answer, with its thoughts",
    better: null,
    words: count,
  }),
];

const ENERGY = spread("energy_joules", {
  label: "Energy",
  hint: "of the whole machine, during a request",
  better: "less",
  words: joules,
});

const LOAD = single("load_seconds", {
  label: "Load",
  hint: "of a start; none where it ran already",
  better: "less",
  of: ({ load_seconds }) => load_seconds,
  words: secondsWords,
});

const MEMORY = single("memory_used_mb", {
  label: "Peak memory",
  hint: "resident, at its highest, of all its servers; not that of GPUs",
  better: "less",
  of: ({ memory_used_mb }) => memory_used_mb,
  words: memoryWords,
});

const SCORE = single("score", {
  label: "Judged",
  hint: "1 for a win, 0.5 for a tie, as a mean",
  better: "more",
  of: ({ standing }) => standing?.score ?? null,
  words: score,
});

const SIZE = single("size_b", {
  label: "Parameters",
  hint: "billions of them",
  better: null,
  of: ({ size_b }) => size_b,
  words: (value) => `${value < 1 ? value.toFixed(2) : value.toFixed(1)} B`,
});

/** The columns of a run's summary: energy and a judge's score where there are any. */
export function columnsOf(run: Benchmark): Column[] {
  return [
    ...(run.judgement === null ? [] : [SCORE]),
    ...SPREADS,
    LOAD,
    MEMORY,
    ...(run.machine.energy === null ? [] : [ENERGY]),
  ];
}

/** Those of a single prompt. */
export function promptColumnsOf(run: Benchmark): Column[] {
  return [...SPREADS, ...(run.machine.energy === null ? [] : [ENERGY])];
}

/** What can be drawn against each other: whatever is known of a model at least. */
export function axesOf(run: Benchmark): Column[] {
  return [...columnsOf(run), SIZE].filter(({ of }) => run.by_model.some((result) => of(result) !== null));
}

/** Better first; what is not known comes last, in either direction. */
export function ordered(
  results: ModelResult[],
  column: Column | undefined,
  descending: boolean,
): ModelResult[] {
  if (column === undefined) return results;
  const sign = descending ? -1 : 1;
  return [...results].sort((a, b) => {
    const [one, other] = [column.of(a), column.of(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return sign * (one - other);
  });
}

/** The order after its header was pressed: the better end first, then the other. */
export function orderAfter(before: Order | null, { id, better }: Column): Order {
  if (before?.by === id) return { by: id, descending: !before.descending };
  return { by: id, descending: better !== "less" };
}

/** Whose figure is best, where there is a choice and it is not by chance: the spreads of the first two lie apart. */
export function bestOf(results: ModelResult[], column: Column): ModelResult | null {
  const { of, better, words } = column;
  if (better === null) return null;
  const known = results.filter((result) => of(result) !== null);
  const [best, second] = ordered(known, column, better === "more");
  if (best === undefined || second === undefined) return null;
  if (words(of(best) ?? 0) === words(of(second) ?? 0)) return null;
  return isApart(column, best, second) ? best : null;
}

function isApart({ spreadOf, better }: Column, best: ModelResult, second: ModelResult): boolean {
  const [one, other] = [spreadOf(best), spreadOf(second)];
  if (one === null || other === null) return true;
  if (Math.min(one.count, other.count) < LEAST_COUNT) return false;
  return better === "more" ? one.p10 > other.p90 : one.p90 < other.p10;
}

/** Where a column's small bars end: its greatest value. */
export function topOfColumn(results: ModelResult[], { of, spreadOf }: Column): number {
  return Math.max(0, ...results.map((result) => spreadOf(result)?.maximum ?? of(result) ?? 0));
}
