import type { FailedModel, Model, Server, StartedAll } from "../../lib/api";
import { durationWords, percentWords } from "../../lib/format";
import { createStore } from "../../lib/store";
import { reasonOf } from "./remedies";

/** Models that are being started together. asks: how many of the asks have not been answered yet. */
export interface Run {
  asks: number;
  ids: readonly string[];
  /** Instants of the failures from before, which are not this run's. */
  before: ReadonlyMap<string, string>;
  failed: ReadonlyMap<string, FailedModel>;
  summaries: readonly string[];
}

export const run = createStore<Run | null>(null);

/** Whether the page shows the run as it goes, so that nothing more need be said of it. */
export const isWatched = createStore(false);

const NEW: Run = { asks: 0, ids: [], before: new Map(), failed: new Map(), summaries: [] };

export type Phase = "asked" | "queued" | "starting" | "running" | "failed" | "stopped";

/** What became of one model so far. */
export interface Fate {
  model: Model;
  phase: Phase;
  words: string;
}

/** Begins a run; where one is under way, these models are added to it. */
export function begun(now: Run | null, models: Model[]): Run {
  const going = now !== null && now.asks > 0 ? now : NEW;
  const failed = new Map(going.failed);
  for (const { model_id } of models) failed.delete(model_id);
  return {
    asks: going.asks + 1,
    ids: [...new Set([...going.ids, ...models.map(({ model_id }) => model_id)])],
    before: new Map([...going.before, ...models.map(failedAt)]),
    failed,
    summaries: going.summaries,
  };
}

/** What was answered: models that were not known of come in, and the failures have their reasons. */
export function answered(now: Run | null, answer: StartedAll): Run | null {
  if (now === null) return null;
  const named = [...answer.models, ...answer.failed].map(({ model_id }) => model_id);
  return {
    ...now,
    asks: now.asks - 1,
    ids: [...new Set([...now.ids, ...named])],
    failed: new Map([...now.failed, ...answer.failed.map((model) => [model.model_id, model] as const)]),
    summaries: [...now.summaries, answer.message],
  };
}

export function refused(now: Run | null, words: string): Run | null {
  return now && { ...now, asks: now.asks - 1, summaries: [...now.summaries, words] };
}

const RANKS: Record<Phase, number> = { failed: 0, starting: 1, queued: 2, asked: 3, running: 4, stopped: 5 };

/** The fates of a run's models: what went wrong first, then what moves. */
export function fatesOf(of: Run, models: Model[], servers: ReadonlyMap<string, Server>): Fate[] {
  const wanted = new Set(of.ids);
  const fates = models
    .filter(({ model_id }) => wanted.has(model_id))
    .map((model) => fateOf(of, model, servers.get(model.model_id)));
  return fates.sort((a, b) => RANKS[a.phase] - RANKS[b.phase]);
}

export function countsOf(fates: Fate[]): ReadonlyMap<Phase, number> {
  const counts = new Map<Phase, number>();
  for (const { phase } of fates) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return counts;
}

function failedAt({ model_id, last_error }: Model): [string, string] {
  return [model_id, last_error?.at ?? ""];
}

function fateOf(of: Run, model: Model, server: Server | undefined): Fate {
  const { status, last_error, model_id, port } = model;
  if (status === "running")
    return { model, phase: "running", words: port ? `running on port ${port}` : "running" };
  if (status === "starting") return { model, phase: "starting", words: loadingWords(server) };
  if (status === "queued") return { model, phase: "queued", words: "waits its turn" };
  const failure = of.failed.get(model_id);
  const isFresh = last_error !== null && last_error.at !== of.before.get(model_id);
  if (failure) return { model, phase: "failed", words: reasonIn(failure) };
  if (isFresh) return { model, phase: "failed", words: reasonIn(last_error) };
  if (status === "stopping") return { model, phase: "stopped", words: "stopping" };
  return of.asks > 0
    ? { model, phase: "asked", words: "asked for" }
    : { model, phase: "stopped", words: "stopped since" };
}

function loadingWords(server: Server | undefined): string {
  if (server?.status !== "starting" || server.progress === null) return "loading";
  const left = server.eta_seconds === null ? "" : `, ${durationWords(server.eta_seconds)} left`;
  return `loading, ${percentWords(server.progress)}${left}`;
}

function reasonIn({ error, detail }: { error: string; detail: string }): string {
  const reason = reasonOf(detail);
  return error === "Failed to start server" && reason ? reason : [error, reason].filter(Boolean).join(": ");
}
