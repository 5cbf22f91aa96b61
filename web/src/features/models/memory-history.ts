import type { LiveEvent } from "../../lib/events";
import { hearEvents } from "../../lib/live";
import { createStore } from "../../lib/store";

/** What all servers of a model took together, in MB, at a time in ms. */
export interface Sample {
  at: number;
  usedMb: number;
}

export type History = Readonly<Record<string, readonly Sample[]>>;

export const SPAN_MS = 600_000;

/** Of each model that ran while this page was open, the last minutes. The control plane keeps no history of it. */
export const memoryHistory = createStore<History>({});

/** Writes down what is told of memory, until the returned function is called. */
export function keepMemoryHistory(): () => void {
  return hearEvents((event) => memoryHistory.set((history) => historyAfter(history, event, Date.now())));
}

export function historyAfter(history: History, { event, data }: LiveEvent, now: number): History {
  if (event !== "memory") return history;
  const used = new Map<string, number>();
  for (const { model_id, memory_used_mb } of data.servers)
    used.set(model_id, (used.get(model_id) ?? 0) + memory_used_mb);
  const kept = Object.entries(history).map(([modelId, samples]): [string, readonly Sample[]] => {
    const recent = samples.filter(({ at }) => at > now - SPAN_MS);
    const usedMb = used.get(modelId);
    used.delete(modelId);
    return [modelId, usedMb === undefined ? recent : [...recent, { at: now, usedMb }]];
  });
  const fresh = [...used].map(([modelId, usedMb]): [string, readonly Sample[]] => [
    modelId,
    [{ at: now, usedMb }],
  ]);
  return Object.fromEntries([...kept.filter(([, samples]) => samples.length > 0), ...fresh]);
}

/** The most that was taken in each stretch of time; null where nothing is known. `begins` in ms, ascending. */
export function byStretch(
  samples: readonly Sample[],
  begins: number[],
  stretchMs: number,
): (number | null)[] {
  return begins.map((begin) => {
    const inside = samples.filter(({ at }) => at >= begin && at < begin + stretchMs);
    return inside.length > 0 ? Math.max(...inside.map(({ usedMb }) => usedMb)) : null;
  });
}
