import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useFleet } from "../lib/fleet";
import { countWords } from "../lib/format";
import { ApiError, request, Unreachable } from "../lib/http";
import type { Fleet } from "../lib/live";
import { useSystem } from "../lib/system";
import { say } from "../lib/toasts";

const AGAIN_MS = 250;

/** Says that the control plane is back, whether it is another one, and what ran on meanwhile. */
export function useReturnNotice(): void {
  const client = useQueryClient();
  const { error } = useFleet();
  const system = useSystem().data;
  const isAway = error instanceof Unreachable;
  const wasAway = useRef(false);
  const uptimeSeconds = useRef(0);
  useEffect(() => {
    if (isAway) wasAway.current = true;
    if (isAway || system === undefined) return;
    if (wasAway.current) {
      if (system.uptime_seconds < uptimeSeconds.current) void tellOfRestart(client);
      else say("The control plane answers again.");
    }
    wasAway.current = false;
    uptimeSeconds.current = system.uptime_seconds;
  }, [isAway, system, client]);
}

/** A new control plane answers before it has taken over the servers of the one before: what it runs is told then. */
async function tellOfRestart(client: QueryClient): Promise<void> {
  while (await isBooting()) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  await client.refetchQueries({ queryKey: ["fleet"] });
  const running = client.getQueryData<Fleet>(["fleet"])?.list.total_running ?? 0;
  const kept = running === 0 ? "No model runs." : `${countWords(running, "model")} kept running.`;
  say(`The control plane was restarted. ${kept}`);
}

async function isBooting(): Promise<boolean> {
  try {
    await request("/health/ready");
    return false;
  } catch (failure) {
    return failure instanceof ApiError && failure.status === 503;
  }
}
