import { useEffect, useRef } from "react";
import { useFleet } from "../lib/fleet";
import { countWords } from "../lib/format";
import { Unreachable } from "../lib/http";
import { useSystem } from "../lib/system";
import { say } from "../lib/toasts";

/** Says that the control plane is back, whether it is another one, and what ran on meanwhile. */
export function useReturnNotice(): void {
  const { error, data: fleet } = useFleet();
  const system = useSystem().data;
  const isAway = error instanceof Unreachable;
  const wasAway = useRef(false);
  const uptimeSeconds = useRef(0);
  useEffect(() => {
    if (isAway) wasAway.current = true;
    if (isAway || system === undefined) return;
    if (wasAway.current && fleet)
      say(returnWords(system.uptime_seconds < uptimeSeconds.current, fleet.list.total_running));
    wasAway.current = false;
    uptimeSeconds.current = system.uptime_seconds;
  }, [isAway, system, fleet]);
}

function returnWords(isRestarted: boolean, running: number): string {
  if (!isRestarted) return "The control plane answers again.";
  const kept = running === 0 ? "No model runs." : `${countWords(running, "model")} kept running.`;
  return `The control plane was restarted. ${kept}`;
}
