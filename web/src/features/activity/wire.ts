import type { components } from "../../lib/api.gen";
import { request } from "../../lib/http";

type Schemas = components["schemas"];

export type LiveCall = Schemas["LiveCall"];
export type EndedCall = Schemas["EndedCall"];
export type Page = Schemas["ActivityPage"];
export type Queue = Schemas["QueueOut"];
export type Summary = Schemas["ActivitySummary"];
export type Bucket = Schemas["BucketOut"];
export type Outcome = Schemas["Outcome"];

export const MINUTES = 60;
const PAGE_CALLS = 100;

/** Which of the ended requests are wanted; empty is any. */
export interface Filter {
  model: string;
  outcome: string;
  dialect: string;
}

export const wire = {
  live: (signal?: AbortSignal) => request<Schemas["LiveActivity"]>("/api/activity/live", { signal }),
  queue: (signal?: AbortSignal) => request<Queue>("/api/queue", { signal }),
  summary: (signal?: AbortSignal) => request<Summary>(`/api/activity/summary?minutes=${MINUTES}`, { signal }),
  ended: (filter: Filter, before: number | null, signal?: AbortSignal) => {
    const query = new URLSearchParams({ limit: String(PAGE_CALLS) });
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value);
    if (before !== null) query.set("before", String(before));
    return request<Page>(`/api/activity?${query}`, { signal });
  },
  cancel: (id: number) => request<Schemas["CancelledCall"]>(`/api/activity/${id}`, { method: "DELETE" }),
};
