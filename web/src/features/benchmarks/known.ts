import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useFleet } from "../../lib/fleet";
import { retryMs } from "../../lib/http";
import { useSystem } from "../../lib/system";
import { contestantsOf } from "./contestants";
import type { Known } from "./forecast";
import { isActive, useRuns } from "./runs";
import { wire } from "./wire";

/** All that can be known before a run; null until the models and the sets of prompts are. */
export function useKnown(): { known: Known | null; error: Error | null } {
  const fleet = useFleet();
  const system = useSystem().data;
  const runs = useRuns().data;
  const retry = {
    refetchInterval: ({ state }: { state: { error: Error | null } }) => retryAfter(state.error),
  };
  const sets = useQuery({
    queryKey: ["benchmarks", "prompts"],
    queryFn: ({ signal }) => wire.promptSets(signal),
    staleTime: Number.POSITIVE_INFINITY,
    ...retry,
  });
  const upstreams = useQuery({
    queryKey: ["upstreams"],
    queryFn: ({ signal }) => wire.upstreams(signal),
    ...retry,
  });
  const speeds = useQuery({
    queryKey: ["benchmarks", "speeds"],
    queryFn: ({ signal }) => wire.speedsHere(signal),
    ...retry,
  });
  const known = useMemo((): Known | null => {
    if (fleet.data === undefined || sets.data === undefined) return null;
    return {
      contestants: contestantsOf(fleet.data.registry.models, upstreams.data?.upstreams ?? []),
      sets: sets.data.sets,
      servers: fleet.data.list.servers,
      devices: system?.devices ?? [],
      speeds: speeds.data?.models ?? [],
      before: runs?.pages.flatMap(({ benchmarks }) => benchmarks).filter(isActive).length ?? 0,
    };
  }, [fleet.data, sets.data, upstreams.data, speeds.data, system, runs]);
  return { known, error: fleet.error ?? sets.error };
}

function retryAfter(error: Error | null): number | false {
  return error !== null && retryMs(error);
}
