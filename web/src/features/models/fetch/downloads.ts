import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { LiveEvent } from "../../../lib/events";
import { countWords, durationWords, memoryWords, percentWords } from "../../../lib/format";
import { refusalOf, retryMs } from "../../../lib/http";
import { hearEvents, isLive } from "../../../lib/live";
import { mutateOnce } from "../../../lib/mutate";
import { useStore } from "../../../lib/store";
import { say } from "../../../lib/toasts";
import { type Download, type DownloadList, wire } from "./wire";

const KEY = ["downloads"];
const MOVING_MS = 1000;
const REST_MS = 30_000;

/** Every download that was not removed, told as it goes on. */
export function useDownloads() {
  const client = useQueryClient();
  const live = useStore(isLive);
  useEffect(
    () =>
      hearEvents((event) => client.setQueryData<DownloadList>(KEY, (list) => list && listAfter(list, event))),
    [client],
  );
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => wire.downloads(signal),
    refetchInterval: ({ state }) => {
      if (state.error) return retryMs(state.error);
      return live ? REST_MS : MOVING_MS;
    },
  });
}

/** The list after an event. */
export function listAfter(list: DownloadList, { event, data }: LiveEvent): DownloadList {
  if (event === "snapshot") return { ...list, downloads: data.downloads };
  if (event !== "download") return list;
  const { downloads } = list;
  if (data.status === "cancelled")
    return { ...list, downloads: downloads.filter(({ id }) => id !== data.id) };
  const isKnown = downloads.some(({ id }) => id === data.id);
  return {
    ...list,
    downloads: isKnown ? downloads.map((one) => (one.id === data.id ? data : one)) : [...downloads, data],
  };
}

/** Those that are under way, and how far all of them together are, 0 to 1. */
export function underWay(downloads: Download[]): { count: number; progress: number } {
  const active = downloads.filter(isUnderWay);
  const total = active.reduce((sum, { total_mb }) => sum + total_mb, 0);
  const done = active.reduce((sum, { done_mb }) => sum + done_mb, 0);
  return { count: active.length, progress: total > 0 ? done / total : 0 };
}

export function isUnderWay({ status }: Download): boolean {
  return status === "queued" || status === "downloading" || status === "verifying";
}

/** How it goes, in words. */
export function progressWords(download: Download): string {
  const { status, done_mb, total_mb, progress, mb_per_second, eta_seconds } = download;
  const share = `${percentWords(progress)}, ${memoryWords(done_mb)} of ${memoryWords(total_mb)}`;
  const left = eta_seconds === null ? "" : `, ${durationWords(eta_seconds)} left`;
  switch (status) {
    case "queued":
      return `waits for its turn, ${memoryWords(total_mb)}`;
    case "downloading":
      return `${share}${mb_per_second === null ? "" : `, ${memoryWords(mb_per_second)}/s`}${left}`;
    case "verifying":
      return `verifying, ${percentWords(progress)}${left}`;
    case "paused":
      return `paused at ${share}`;
    case "failed":
      return `failed at ${share}`;
    case "done":
      return `here, ${memoryWords(total_mb)}`;
    case "cancelled":
      return "cancelled";
  }
}

/** What it is called: its repository and which of the models there. */
export function titleOf({ repo, quantization, files }: Download): string {
  return `${repo} ${quantization ?? files[0]?.path ?? ""}`.trim();
}

/** Begins one, or goes on with it. */
export const beginning = (client: QueryClient) => ({
  mutationFn: ({ repo, file }: { repo: string; file: string | null }) => wire.begin(repo, file),
  onSuccess: (download: Download) => take(client, download),
  onError: sayFailure,
});

type Step = "pause" | "resume" | "remove";

/** What can be done to one that has begun. */
export function useSteps(download: Download) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (step: Step) => wire[step](download.id),
    onSuccess: (after: Download, step: Step) => {
      if (step !== "remove") take(client, after);
      else {
        client.setQueryData<DownloadList>(KEY, (list) => list && without(list, download.id));
        sayRemoved(client, download);
      }
    },
    onError: sayFailure,
    onSettled: () => client.invalidateQueries({ queryKey: KEY }),
  });
}

function sayRemoved(client: QueryClient, download: Download): void {
  const { repo, files, status } = download;
  if (status === "done") {
    say(`${titleOf(download)} is off the list. The model stays.`);
    return;
  }
  const run = () => mutateOnce(client, beginning(client), { repo, file: files[0]?.path ?? null });
  const lost = download.done_mb > 0 ? `: ${memoryWords(download.done_mb)} thrown away` : "";
  say(`Cancelled ${titleOf(download)}${lost}.`, { undo: { label: "Fetch it again", run } });
}

function take(client: QueryClient, download: Download): void {
  client.setQueryData<DownloadList>(
    KEY,
    (list) => list && listAfter(list, { event: "download", data: download }),
  );
}

function without(list: DownloadList, gone: string): DownloadList {
  return { ...list, downloads: list.downloads.filter(({ id }) => id !== gone) };
}

function sayFailure(failure: Error): void {
  const { error, detail } = refusalOf(failure);
  say(detail ? `${error}: ${detail}` : error, { tone: "bad" });
}

/** For a button: how many are under way, and how far. */
export function underWayWords(downloads: Download[]): string {
  const { count, progress } = underWay(downloads);
  return count === 0 ? "" : `${countWords(count, "download")}, ${percentWords(progress)}`;
}
