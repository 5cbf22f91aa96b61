import type { Model } from "../../lib/api";
import { createStore } from "../../lib/store";

/** Which models are marked, to do something to all of them; and where a range begins. */
export interface Selection {
  ids: ReadonlySet<string>;
  anchor: string | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null };

export const selection = createStore<Selection>(NOTHING);

/** The ids of all rows, in their order, for ranges and for marking all. */
export const shownIds = createStore<readonly string[]>([]);

/** Marks a row or takes its mark away; `isRange` marks all from the last touched one to here. */
export function select(modelId: string, isRange: boolean): void {
  selection.set((now) => (isRange ? ranged(now, modelId, shownIds.get()) : toggled(now, modelId)));
}

/** Marks all that are shown; or takes their marks away, where all of them have one. */
export function selectShown(): void {
  selection.set((now) => allToggled(now, shownIds.get()));
}

export function selectNothing(): void {
  selection.set(NOTHING);
}

export function toggled({ ids }: Selection, modelId: string): Selection {
  const next = new Set(ids);
  if (!next.delete(modelId)) next.add(modelId);
  return { ids: next, anchor: modelId };
}

export function ranged({ ids, anchor }: Selection, modelId: string, shown: readonly string[]): Selection {
  const [from, to] = [shown.indexOf(anchor ?? modelId), shown.indexOf(modelId)];
  if (from < 0 || to < 0) return toggled({ ids, anchor }, modelId);
  const range = shown.slice(Math.min(from, to), Math.max(from, to) + 1);
  return { ids: new Set([...ids, ...range]), anchor: modelId };
}

export function allToggled({ ids, anchor }: Selection, shown: readonly string[]): Selection {
  if (!isAll(ids, shown)) return { ids: new Set([...ids, ...shown]), anchor };
  const next = new Set(ids);
  for (const modelId of shown) next.delete(modelId);
  return { ids: next, anchor };
}

export function isAll(ids: ReadonlySet<string>, shown: readonly string[]): boolean {
  return shown.length > 0 && shown.every((modelId) => ids.has(modelId));
}

/** What models would take that do not run, in MB; `unknown` are those without a figure. */
export function weightOf(models: Model[]): { memoryMb: number; unknown: number } {
  const idle = models.filter(({ status }) => ["stopped", "failed"].includes(status));
  const sizes = idle.map(
    ({ measured_memory_mb, estimated_memory_mb }) => measured_memory_mb ?? estimated_memory_mb,
  );
  return {
    memoryMb: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0),
    unknown: sizes.filter((size) => size === null).length,
  };
}
