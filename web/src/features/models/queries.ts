import { useIsMutating, useQuery } from "@tanstack/react-query";
import { api, type Model, type Registry, type Server } from "../../lib/api";
import { isMoving } from "./status";

const MOVING_MS = 1000;
const OFFLINE_MS = 3000;

/** Every model with its status. Looked at each second while anything moves, else every `refreshSeconds`. */
export function useRegistry(refreshSeconds: number) {
  const acting = useIsMutating({ mutationKey: ["fleet"] }) > 0;
  return useQuery({
    queryKey: ["registry"],
    queryFn: ({ signal }) => api.registry(signal),
    refetchInterval: (query) => {
      if (query.state.error) return OFFLINE_MS;
      return acting || moves(query.state.data) ? MOVING_MS : refreshSeconds * 1000;
    },
  });
}

/** Memory, uptime and progress of every server that is not stopped, by model. */
export function useServers(refreshSeconds: number, moving: boolean): ReadonlyMap<string, Server> {
  const { data } = useQuery({
    queryKey: ["servers"],
    queryFn: ({ signal }) => api.servers(signal),
    refetchInterval: moving ? MOVING_MS : refreshSeconds * 1000,
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
