import type { QueryAsk, QueryRecord } from "../../../lib/api";
import type { components } from "../../../lib/api.gen";
import { follow } from "../../../lib/events";
import { request } from "../../../lib/http";
import type { Mode } from "./kinds";
import { recordAfter, type Step } from "./record";

type Schemas = components["schemas"];
export type Page = Schemas["QueryPage"];

const PAGE_QUERIES = 30;

export const wire = {
  record: (id: number) => request<QueryRecord>(`/api/query/${id}`),
  list: (mode: Mode | "", before: number | null, signal?: AbortSignal) => {
    const query = new URLSearchParams({ limit: String(PAGE_QUERIES) });
    if (mode) query.set("mode", mode);
    if (before !== null) query.set("before", String(before));
    return request<Page>(`/api/query?${query}`, { signal });
  },
  /** Ends one that is under way; deletes the record of one that has ended. */
  remove: (id: number) => request<Schemas["QueryDeleted"]>(`/api/query/${id}`, { method: "DELETE" }),
};

/**
 * Asks, and tells the record as it grows, until its end; leaving ends it at the control plane too.
 * Throws ApiError, Unreachable, AbortError.
 */
export function play(
  ask: QueryAsk,
  tell: (record: QueryRecord) => void,
  signal: AbortSignal,
): Promise<QueryRecord | null> {
  return grow("/api/query", tell, signal, ask);
}

/** Tells the record of one under way as it grows, from its beginning to its end. Throws as `play` does. */
export function watch(
  id: number,
  tell: (record: QueryRecord) => void,
  signal: AbortSignal,
): Promise<QueryRecord | null> {
  return grow(`/api/query/${id}/events`, tell, signal);
}

async function grow(
  path: string,
  tell: (record: QueryRecord) => void,
  signal: AbortSignal,
  ask?: QueryAsk,
): Promise<QueryRecord | null> {
  let record: QueryRecord | null = null;
  let isTold = true;
  const tellOnce = () => {
    isTold = true;
    if (record) tell(record);
  };
  await follow(
    path,
    (told) => {
      record = recordAfter(record, told as Step);
      // What comes at once is shown at once.
      if (isTold) queueMicrotask(tellOnce);
      isTold = false;
    },
    signal,
    ask,
  );
  signal.throwIfAborted();
  return record;
}
