import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api } from "../lib/api";
import { useFleet } from "../lib/fleet";
import { countWords } from "../lib/format";
import { ApiError, request, Unreachable } from "../lib/http";
import type { Fleet } from "../lib/live";
import { say } from "../lib/toasts";

const AGAIN_MS = 250;

/** Says that the control plane is back, whether it is another one, and what ran on meanwhile. */
export function useReturnNotice(): void {
  const client = useQueryClient();
  const { error, dataUpdatedAt } = useFleet();
  const isAway = error instanceof Unreachable;
  const lastSeenMs = useRef<number | null>(null);
  useEffect(() => {
    if (isAway) lastSeenMs.current ??= dataUpdatedAt;
    else if (lastSeenMs.current !== null) {
      void tellOfReturn(client, lastSeenMs.current);
      lastSeenMs.current = null;
    }
  }, [isAway, dataUpdatedAt, client]);
}

/** A new control plane answers before it has taken over the servers of the one before: what it runs is told then. */
async function tellOfReturn(client: QueryClient, lastSeenMs: number): Promise<void> {
  try {
    while (await isBooting()) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    const { uptime_seconds } = await api.system();
    // One that began after the last answer is another one.
    if (uptime_seconds * 1000 > Date.now() - lastSeenMs) return say("The control plane answers again.");
    await client.refetchQueries({ queryKey: ["fleet"] });
  } catch (failure) {
    // Gone once more: its next return is told.
    if (failure instanceof Unreachable) return;
    throw failure;
  }
  const running = client.getQueryData<Fleet>(["fleet"])?.list.total_running ?? 0;
  const kept = running === 0 ? "No model runs." : `${countWords(running, "model")} kept running.`;
  say(`The control plane was restarted. ${kept}`);
}

async function isBooting(): Promise<boolean> {
  try {
    await request("/health/ready");
    return false;
  } catch (failure) {
    if (failure instanceof ApiError) return failure.status === 503;
    throw failure;
  }
}
