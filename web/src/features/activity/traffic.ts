import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect } from "react";
import type { LiveEvent } from "../../lib/events";
import { retryMs } from "../../lib/http";
import { hearEvents, isLive } from "../../lib/live";
import { useStore } from "../../lib/store";
import { type EndedCall, type Filter, type LiveCall, type Page, type Queue, wire } from "./wire";

/** What is in flight: the oldest of them, and how many they are in all. */
export interface InFlight {
  calls: LiveCall[];
  total: number;
}

type Past = InfiniteData<Page, number | null>;

const MOVING_MS = 1000;
const SUMMARY_MS = 10_000;
const REST_MS = 30_000;
// An open page is not to grow without end: older ones are a press away.
const MOST_FRESH = 500;

/** Requests in flight, told as they change. */
export function useInFlight() {
  return useQuery({
    queryKey: ["activity", "live"],
    queryFn: ({ signal }) => unlessTold("activity", wire.live(signal).then(inFlightOf), inFlightTold),
    refetchInterval: useInterval(MOVING_MS),
  });
}

/** Who waits for which model, told as it changes. */
export function useQueue() {
  return useQuery({
    queryKey: ["activity", "queue"],
    queryFn: ({ signal }) => unlessTold("queue", wire.queue(signal), queueTold),
    refetchInterval: useInterval(MOVING_MS),
  });
}

/** The last hour in figures. */
export function useSummary() {
  return useQuery({
    queryKey: ["activity", "summary"],
    queryFn: ({ signal }) => wire.summary(signal),
    refetchInterval: ({ state }) => (state.error ? retryMs(state.error) : SUMMARY_MS),
  });
}

/** Requests that have ended and pass the filter, newest first; new ones come in at the top. */
export function useEnded(filter: Filter) {
  const client = useQueryClient();
  useEffect(() => hearEvents((event) => takeEnded(client, filter, event)), [client, filter]);
  return useInfiniteQuery({
    queryKey: ["activity", "ended", filter],
    queryFn: ({ pageParam, signal }) => wire.ended(filter, pageParam, signal),
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    refetchInterval: useInterval(MOVING_MS * 5),
  });
}

/** Keeps what is in flight and who waits in step with what is told. */
export function useToldTraffic(): void {
  const client = useQueryClient();
  useEffect(
    () =>
      hearEvents((event) => {
        const inFlight = inFlightTold(event);
        if (inFlight) client.setQueryData<InFlight>(["activity", "live"], inFlight);
        const queue = queueTold(event);
        if (queue) client.setQueryData<Queue>(["activity", "queue"], queue);
      }),
    [client],
  );
}

/** The pages with what has just ended, each once, in the order of arrival. */
export function withEnded(past: Past, fresh: EndedCall[], filter: Filter): Past {
  const [first, ...rest] = past.pages;
  if (first === undefined) return past;
  const wanted = fresh.filter((call) => passes(call, filter));
  const freshIds = new Set(wanted.map(({ id }) => id));
  // Those that arrived before the oldest of this page belong to a later one.
  const isHere = ({ id }: EndedCall) => first.next === null || id >= first.next;
  const kept = first.calls.filter(({ id }) => !freshIds.has(id));
  const calls = [...wanted.filter(isHere), ...kept].sort((a, b) => b.id - a.id);
  if (calls.length <= MOST_FRESH) return { ...past, pages: [{ ...first, calls }, ...rest] };
  const newest = calls.slice(0, MOST_FRESH);
  return { pages: [{ calls: newest, next: newest.at(-1)?.id ?? null }], pageParams: [null] };
}

export function passes(call: EndedCall, { model, outcome, dialect }: Filter): boolean {
  return (
    (!model || call.model_id === model) &&
    (!outcome || call.outcome === outcome) &&
    (!dialect || call.dialect === dialect)
  );
}

function takeEnded(client: QueryClient, filter: Filter, event: LiveEvent): void {
  if (event.event !== "activity" || event.data.ended_count === 0) return;
  const { ended, ended_count } = event.data;
  const key = ["activity", "ended", filter];
  client.setQueryData<Past>(key, (past) => past && withEnded(past, ended, filter));
  if (ended_count > ended.length) void client.invalidateQueries({ queryKey: key });
}

/** A look, or what was told while it took place: that is newer. */
async function unlessTold<T>(
  kind: LiveEvent["event"],
  look: Promise<T>,
  read: (event: LiveEvent) => T | null,
): Promise<T> {
  let told: T | null = null;
  const hearNoMore = hearEvents((event) => {
    if (event.event === kind) told = read(event);
  });
  try {
    const seen = await look;
    return told ?? seen;
  } finally {
    hearNoMore();
  }
}

function inFlightOf({ calls }: { calls: LiveCall[] }): InFlight {
  return { calls, total: calls.length };
}

function inFlightTold(event: LiveEvent): InFlight | null {
  return event.event === "activity" ? { calls: event.data.live, total: event.data.in_flight } : null;
}

function queueTold(event: LiveEvent): Queue | null {
  return event.event === "queue" ? event.data : null;
}

/** Seldom while all is told, `ms` while it is not, at once after a failure. */
function useInterval(ms: number) {
  const live = useStore(isLive);
  return ({ state }: { state: { error: Error | null } }) => {
    if (state.error) return retryMs(state.error);
    return live ? REST_MS : ms;
  };
}
