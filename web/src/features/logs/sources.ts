import type { Fleet } from "../../lib/live";

/** A log that can be read: one server's, where `modelId` is null the control plane's own, or all that run as one. */
export interface Source {
  isEvery?: true;
  modelId: string | null;
  replica: number;
  label: string;
  isRunning: boolean;
}

export const OWN: Source = { modelId: null, replica: 1, label: "the control plane", isRunning: true };

export const EVERY: Source = {
  isEvery: true,
  modelId: null,
  replica: 1,
  label: "everything that runs",
  isRunning: true,
};
const EVERY_KEY = "*";

export const LEVELS = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** What of a log is wanted. */
export interface Wanted {
  level: Level;
  search: string;
}

export const TAIL = 2000;
// Of each.
const EVERY_TAIL = 200;
const MOST_LINES = 100_000;

/** The control plane, all as one, every server that is not stopped, then every model, whose last start left a log. */
export function sourcesOf(fleet: Fleet | undefined): Source[] {
  if (fleet === undefined) return [OWN, EVERY];
  const { registry, list } = fleet;
  const servers = list.servers.map(({ model_id, replica, display_name }) => ({
    modelId: model_id,
    replica,
    label: replica > 1 ? `${display_name}, replica ${replica}` : display_name,
    isRunning: true,
  }));
  const first = new Set(servers.filter(({ replica }) => replica === 1).map(({ modelId }) => modelId));
  const others = registry.models
    .filter(({ model_id }) => !first.has(model_id))
    .map(({ model_id, display_name }) => ({
      modelId: model_id,
      replica: 1,
      label: display_name,
      isRunning: false,
    }));
  return [OWN, EVERY, ...sorted(servers), ...sorted(others)];
}

/** The source that an address means; one that is not known (any more) keeps its id as its name. */
export function sourceIn(query: URLSearchParams, sources: Source[]): Source {
  const modelId = query.get("of");
  if (modelId === null) return OWN;
  if (modelId === EVERY_KEY) return EVERY;
  const replica = Math.max(1, Number.parseInt(query.get("replica") ?? "1", 10) || 1);
  const known = sources.find((source) => source.modelId === modelId && source.replica === replica);
  return known ?? { modelId, replica, label: modelId, isRunning: false };
}

export function queryOf({ isEvery, modelId, replica }: Source): Record<string, string> {
  if (isEvery) return { of: EVERY_KEY };
  if (modelId === null) return {};
  return replica === 1 ? { of: modelId } : { of: modelId, replica: String(replica) };
}

export function sourceKey({ isEvery, modelId, replica }: Source): string {
  if (isEvery) return EVERY_KEY;
  return modelId === null ? "" : `${replica}/${modelId}`;
}

/** Where the wanted lines are told. */
export function followPath(source: Source, wanted: Wanted): string {
  const query = { ...wanted, tail: String(source.isEvery ? EVERY_TAIL : TAIL), ansi: "true" };
  return source.isEvery ? `/api/logs/live?${new URLSearchParams(query)}` : pathOf(source, query);
}

/** Where all that is kept can be had at once, without colours. */
export function wholePath(source: Source, wanted: Wanted): string {
  return pathOf(source, { ...wanted, tail: String(MOST_LINES) });
}

function pathOf({ modelId, replica }: Source, query: Record<string, string>): string {
  const words = new URLSearchParams(query);
  if (modelId === null) return `/api/logs?${words}`;
  words.set("replica", String(replica));
  return `/api/models/servers/${encodeURIComponent(modelId)}/logs?${words}`;
}

function sorted(sources: Source[]): Source[] {
  return sources.sort((a, b) => a.label.localeCompare(b.label) || a.replica - b.replica);
}
