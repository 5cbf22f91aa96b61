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
  /** Begins one, which goes on whoever leaves. */
  ask: (body: QueryAsk) => request<Schemas["QueryDetached"]>("/api/query", { method: "POST", body }),
  /** Ends one that is under way; its record stays. */
  cancel: (id: number) => request<QueryRecord>(`/api/query/${id}/cancel`, { method: "POST" }),
  /** Deletes the record of one that has ended. */
  remove: (id: number) => request<Schemas["QueryDeleted"]>(`/api/query/${id}`, { method: "DELETE" }),
};

/**
 * Tells a query's record as it grows, from its beginning until its end or the signal. Throws ApiError,
 * Unreachable, AbortError.
 */
export async function watch(
  id: number,
  tell: (record: QueryRecord) => void,
  signal: AbortSignal,
): Promise<void> {
  let record: QueryRecord | null = null;
  let isTold = true;
  const tellOnce = () => {
    isTold = true;
    if (record) tell(record);
  };
  await follow(
    `/api/query/${id}/events`,
    (told) => {
      record = recordAfter(record, told as Step);
      // What comes at once is shown at once.
      if (isTold) queueMicrotask(tellOnce);
      isTold = false;
    },
    signal,
  );
}
