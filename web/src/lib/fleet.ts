import { useIsMutating, useQuery } from "@tanstack/react-query";
import { api, type Registry } from "./api";
import { retryMs } from "./http";
import { type Fleet, isLive, lookedAt } from "./live";
import { isMoving } from "./status";
import { useStore } from "./store";
import { useSystem } from "./system";

const MOVING_MS = 1000;

/**
 * Every model with its status, and memory, uptime and progress of every server that is not stopped.
 * Changes are told; where they are not, it looks each second while anything moves, else as often as
 * the control plane says.
 */
export function useFleet() {
  const refreshSeconds = useSystem().data?.refresh_seconds ?? 30;
  const acting = useIsMutating({ mutationKey: ["fleet"] }) > 0;
  const live = useStore(isLive);
  return useQuery({
    queryKey: ["fleet"],
    queryFn: ({ signal }) => lookedAt(look(signal)),
    refetchInterval: ({ state }) => {
      if (state.error) return retryMs(state.error);
      const isHurried = !live && (acting || moves(state.data?.registry));
      return isHurried ? MOVING_MS : refreshSeconds * 1000;
    },
  });
}

async function look(signal: AbortSignal): Promise<Fleet> {
  const [registry, list] = await Promise.all([api.registry(signal), api.servers(signal)]);
  return { registry, list };
}

function moves(registry: Registry | undefined): boolean {
  return (
    registry !== undefined && (registry.scanning || registry.models.some((model) => isMoving(model.status)))
  );
}
