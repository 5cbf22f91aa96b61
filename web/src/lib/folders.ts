import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { components } from "./api.gen";
import { countWords } from "./format";
import { refusalOf, request, retryMs } from "./http";
import { hearEvents } from "./live";
import { mutateOnce } from "./mutate";
import { say } from "./toasts";

type FolderList = components["schemas"]["FolderList"];
export type Folder = components["schemas"]["FolderOut"];

const KEY = ["folders"];
const REST_MS = 30_000;

/** Every folder that is searched, told when one comes or goes. */
export function useFolders() {
  const client = useQueryClient();
  useEffect(
    () =>
      hearEvents((event) => {
        if (event.event === "folders") client.setQueryData<FolderList>(KEY, event.data);
        if (event.event === "scan") void client.invalidateQueries({ queryKey: KEY });
      }),
    [client],
  );
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => request<FolderList>("/api/folders", { signal }),
    refetchInterval: ({ state }) => (state.error ? retryMs(state.error) : REST_MS),
  });
}

/** Searches a further folder from now on. A refusal is shown by whoever asked. */
export const adding = (client: QueryClient) => ({
  mutationFn: (path: string) => request<FolderList>("/api/folders", { method: "POST", body: { path } }),
  onSuccess: (list: FolderList, path: string) => {
    const folder =
      list.folders.find((one) => one.path === path) ?? list.folders.find(({ can_remove }) => can_remove);
    client.setQueryData<FolderList>(KEY, list);
    const found = countWords(folder?.models ?? 0, "model");
    const run = () => mutateOnce(client, removing(client), folder?.path ?? path);
    say(`Searching ${path} from now on: ${found} in it.`, { undo: { label: "Undo", run } });
  },
  onSettled: () => client.invalidateQueries({ queryKey: ["fleet"] }),
});

/** Searches a folder no more; its files stay. */
export const removing = (client: QueryClient) => ({
  mutationFn: (path: string) =>
    request<FolderList>(`/api/folders?path=${encodeURIComponent(path)}`, { method: "DELETE" }),
  onSuccess: (list: FolderList, path: string) => {
    client.setQueryData<FolderList>(KEY, list);
    const run = () => mutateOnce(client, adding(client), path);
    say(`${path} is not searched any more. Its files stay.`, { undo: { label: "Undo", run } });
  },
  onError: (failure: Error) => say(refusalOf(failure).error, { tone: "bad" }),
  onSettled: () => client.invalidateQueries({ queryKey: ["fleet"] }),
});

/** Why somebody looks there. */
export const SOURCES: Record<Folder["source"], string> = {
  settings: "named at the start",
  added: "added by you",
  known: "where other programs keep theirs",
  own: "where downloads come to",
};

/** A path out of what was dropped or pasted: file managers hand over addresses, sometimes several lines. */
export function pathIn(text: string): string {
  const line = text.split(/\r?\n/).find((one) => one.trim() !== "" && !one.startsWith("#")) ?? "";
  const bare = line.trim().replace(/^["'](.*)["']$/, "$1");
  if (!bare.startsWith("file://")) return bare;
  try {
    return decodeURIComponent(new URL(bare).pathname);
  } catch {
    return bare;
  }
}
