import { useIsMutating, useQuery } from "@tanstack/react-query";
import { api, type Model, type Registry, type Server } from "../../lib/api";
import { retryMs } from "../../lib/http";
import { isMoving } from "./status";

const MOVING_MS = 1000;

/** Every model with its status. Looked at each second while anything moves, else every `refreshSeconds`. */
export function useRegistry(refreshSeconds: number) {
  const acting = useIsMutating({ mutationKey: ["fleet"] }) > 0;
  return useQuery({
    queryKey: ["registry"],
    queryFn: ({ signal }) => api.registry(signal),
    refetchInterval: ({ state }) => {
      if (state.error) return retryMs(state.error);
      return acting || moves(state.data) ? MOVING_MS : refreshSeconds * 1000;
    },
  });
}

/** Memory, uptime and progress of every server that is not stopped, by model. */
export function useServers(refreshSeconds: number, moving: boolean): ReadonlyMap<string, Server> {
  const { data } = useQuery({
    queryKey: ["servers"],
    queryFn: ({ signal }) => api.servers(signal),
    refetchInterval: ({ state }) => {
      if (state.error) return retryMs(state.error);
      return moving ? MOVING_MS : refreshSeconds * 1000;
    },
    select: byModel,
  });
  return data ?? NO_SERVERS;
}

export function moves(registry: Registry | undefined): boolean {
  return (
    registry !== undefined && (registry.scanning || registry.models.some((m: Model) => isMoving(m.status)))
  );
}

const NO_SERVERS: ReadonlyMap<string, Server> = new Map();

function byModel(list: { servers: Server[] }): ReadonlyMap<string, Server> {
  return new Map(list.servers.map((server) => [server.model_id, server]));
}
