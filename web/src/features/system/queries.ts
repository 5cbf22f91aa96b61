import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { refusalOf, retryMs } from "../../lib/http";
import { hearEvents } from "../../lib/live";
import { mutateOnce } from "../../lib/mutate";
import { say } from "../../lib/toasts";
import { labelOf, valueWords } from "./settings";
import {
  type Setting,
  type SettingList,
  type Upstream,
  type UpstreamAsk,
  type UpstreamList,
  wire,
} from "./wire";

const SETTINGS = ["settings"];
const UPSTREAMS = ["upstreams"];
const DIAGNOSIS = ["diagnosis"];
const REST_MS = 30_000;

/** Keeps settings and upstreams as they are told, whoever has changed them. */
export function useTold(): void {
  const client = useQueryClient();
  useEffect(
    () =>
      hearEvents(({ event, data }) => {
        if (event === "settings") client.setQueryData<SettingList>(SETTINGS, data);
        if (event === "upstreams") client.setQueryData<UpstreamList>(UPSTREAMS, data);
      }),
    [client],
  );
}

/** What a look at the control plane's state has in common: soon again after a failure, else now and then. */
const resting = {
  refetchInterval: ({ state }: { state: { error: Error | null } }) =>
    state.error ? retryMs(state.error) : REST_MS,
};

export const useSettings = () =>
  useQuery({ queryKey: SETTINGS, queryFn: ({ signal }) => wire.settings(signal), ...resting });

export const useUpstreams = () =>
  useQuery({ queryKey: UPSTREAMS, queryFn: ({ signal }) => wire.upstreams(signal), ...resting });

export const useDiagnosis = () =>
  useQuery({ queryKey: DIAGNOSIS, queryFn: ({ signal }) => wire.diagnosis(signal), ...resting });

interface Edit {
  setting: Setting;
  value: unknown;
}

/** Changes one setting at once. A refusal is shown by whoever asked. */
export const editing = (client: QueryClient) => ({
  mutationFn: ({ setting, value }: Edit) => wire.edit(setting.field, value),
  onSuccess: (list: SettingList, { setting, value }: Edit) => {
    client.setQueryData<SettingList>(SETTINGS, list);
    const { words, unit } = labelOf(setting);
    const after = list.settings.find(({ field }) => field === setting.field)?.value ?? null;
    const said = after === null ? valueWords(after) : `${valueWords(after)} ${unit}`.trim();
    const run = () => mutateOnce(client, editing(client), { setting, value: setting.saved });
    say(`${words}: ${said}${value === null ? ", the default" : ""}.`, {
      name: `setting ${setting.field}`,
      undo: { label: "Undo", run },
    });
  },
  onError: (failure: Error) => say(refusalOf(failure).error, { tone: "bad" }),
  onSettled: () => client.invalidateQueries({ queryKey: DIAGNOSIS }),
});

interface Put {
  name: string;
  ask: UpstreamAsk;
}

/** Adds or replaces an upstream. A refusal is shown by whoever asked. */
export const putting = (client: QueryClient) => ({
  mutationFn: ({ name, ask }: Put) => wire.putUpstream(name, ask),
  onSuccess: ({ name, reachable, models }: Upstream) =>
    say(
      reachable ? `${name} has ${models.length} models.` : `${name} is kept, and cannot be reached just now.`,
    ),
  onSettled: () => client.invalidateQueries({ queryKey: UPSTREAMS }),
});

/** Forgets an upstream. Taken back only where no key was forgotten with it: nobody can read that again. */
export const removing = (client: QueryClient) => ({
  mutationFn: ({ name }: Upstream) => wire.removeUpstream(name),
  onSuccess: (_: unknown, { name, url, key_header, model, has_key }: Upstream) => {
    const run = () => mutateOnce(client, putting(client), { name, ask: { url, key_header, model } });
    say(`${name} is removed.`, has_key ? {} : { undo: { label: "Undo", run } });
  },
  onError: (failure: Error) => say(refusalOf(failure).error, { tone: "bad" }),
  onSettled: () => client.invalidateQueries({ queryKey: UPSTREAMS }),
});
