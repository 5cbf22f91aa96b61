import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect } from "react";
import type { LiveEvent } from "../../lib/events";
import { ApiError, retryMs } from "../../lib/http";
import { hearEvents, isLive } from "../../lib/live";
import { useStore } from "../../lib/store";
import { type Benchmark, type Brief, type Page, wire } from "./wire";

type Past = InfiniteData<Page, number | null>;

const LIST = ["benchmarks", "list"];
const COMPARED = ["benchmarks", "compared"];
const MOVING_MS = 1500;
const REST_MS = 30_000;
// A long run is much to send again and again.
const MS_PER_SAMPLE = 10;

const oneKey = (id: number) => ["benchmarks", "one", id];

export function isActive({ status }: Brief): boolean {
  return status === "queued" || status === "running";
}

/** Every run, newest first, with how far each is. */
export function useRuns() {
  const live = useStore(isLive);
  return useInfiniteQuery({
    queryKey: LIST,
    queryFn: ({ pageParam, signal }) => lookedAt(wire.list(pageParam, signal)),
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    refetchInterval: ({ state }) => {
      if (state.error) return retryMs(state.error);
      const moves = state.data?.pages.some(({ benchmarks }) => benchmarks.some(isActive));
      return moves && !live ? MOVING_MS : REST_MS;
    },
  });
}

/** All of one run; of one that is active what it has measured so far. */
export function useRun(id: number) {
  return useQuery({
    queryKey: oneKey(id),
    queryFn: ({ signal }) => wire.one(id, signal),
    refetchInterval: ({ state: { data, error } }) => {
      if (error instanceof ApiError && error.status === 404) return false;
      if (data === undefined) return error !== null && retryMs(error);
      return isActive(data) && MOVING_MS + MS_PER_SAMPLE * data.samples.length;
    },
  });
}

export function useCompared(a: number, b: number) {
  return useQuery({
    queryKey: [...COMPARED, a, b],
    queryFn: ({ signal }) => wire.compare(a, b, signal),
  });
}

/** Keeps every run that the page shows in step with what is told of it. */
export function useToldRuns(): void {
  const client = useQueryClient();
  useEffect(
    () =>
      hearEvents((event) => {
        for (const brief of briefsIn(event)) take(client, brief);
      }),
    [client],
  );
}

/** Takes in how far a run is, as it was told or answered. */
export function take(client: QueryClient, brief: Brief): void {
  client.setQueryData<Past>(LIST, (past) => past && { ...past, pages: withBrief(past.pages, brief) });
  client.setQueryData<Benchmark>(oneKey(brief.id), (run) => run && { ...run, ...brief });
  if (isActive(brief)) return;
  void client.invalidateQueries({ queryKey: oneKey(brief.id) });
  void client.invalidateQueries({ queryKey: COMPARED });
}

export function forget(client: QueryClient, id: number): void {
  client.removeQueries({ queryKey: oneKey(id) });
  client.setQueryData<Past>(LIST, (past) => past && { ...past, pages: without(past.pages, id) });
}

/** The pages with a run as it is now: in its place, or on top where it is new. */
export function withBrief(pages: Page[], brief: Brief): Page[] {
  const [first, ...rest] = pages;
  if (first === undefined) return pages;
  const isKnown = pages.some(({ benchmarks }) => benchmarks.some(({ id }) => id === brief.id));
  if (!isKnown) {
    const isNewer = first.benchmarks.every(({ id }) => id < brief.id);
    return isNewer ? [{ ...first, benchmarks: [brief, ...first.benchmarks] }, ...rest] : pages;
  }
  return pages.map((page) => ({
    ...page,
    benchmarks: page.benchmarks.map((known) => (known.id === brief.id ? brief : known)),
  }));
}

function without(pages: Page[], id: number): Page[] {
  return pages.map((page) => ({ ...page, benchmarks: page.benchmarks.filter((known) => known.id !== id) }));
}

function briefsIn(event: LiveEvent): Brief[] {
  if (event.event === "benchmark") return [event.data];
  return event.event === "snapshot" ? event.data.benchmarks : [];
}

/** A look that takes a while, brought up to what was told meanwhile. */
async function lookedAt(look: Promise<Page>): Promise<Page> {
  const told: Brief[] = [];
  const hearNoMore = hearEvents((event) => told.push(...briefsIn(event)));
  try {
    const page = await look;
    return told.reduce((seen, brief) => withBrief([seen], brief)[0] ?? seen, page);
  } finally {
    hearNoMore();
  }
}
