import { useState } from "react";
import { LogView } from "../../../components/log/log-view";
import { useTail } from "../../../components/log/tail";
import { Press } from "../../../components/press";
import type { Model } from "../../../lib/api";
import { useFleet } from "../../../lib/fleet";
import { countWords } from "../../../lib/format";
import { Link } from "../../../lib/router";

const TAIL = 500;

/** What its server writes, as it writes it. */
export function LogTab({ model }: { model: Model }) {
  const [replica, setReplica] = useState(1);
  const replicas = useReplicas(model);
  const query = new URLSearchParams({ tail: String(TAIL), ansi: "true", replica: String(replica) });
  const { tail, pause } = useTail(`/api/models/servers/${encodeURIComponent(model.model_id)}/logs?${query}`);
  return (
    <div className="drawer-log">
      <div className="drawer-bar">
        <Press available aria-pressed={tail.isPaused} onPress={() => pause(!tail.isPaused)}>
          {tail.isPaused ? "RESUME" : "PAUSE"}
        </Press>
        {replicas.length > 1 && (
          <select
            aria-label="Log of replica"
            value={replica}
            onChange={(event) => setReplica(Number(event.target.value))}
          >
            {replicas.map((one) => (
              <option key={one} value={one}>
                Replica {one}
              </option>
            ))}
          </select>
        )}
        <span className="quiet" role="status">
          {stateWords(tail.state, tail.isPaused, tail.problem)}
          {tail.held.length > 0 && ` ${countWords(tail.held.length, "new line")} held back.`}
        </span>
        <Link className="drawer-link" to="logs" query={{ of: model.model_id }}>
          Search it on the Logs page
        </Link>
      </div>
      <LogView
        key={replica}
        label={`Log of ${model.display_name}`}
        lines={tail.lines}
        search=""
        wraps
        coloured
        nothing={tail.state === "following" ? "Nothing logged yet. A START writes here." : ""}
      />
    </div>
  );
}

function useReplicas(model: Model): number[] {
  const servers = useFleet().data?.list.servers ?? [];
  return servers
    .filter(({ model_id }) => model_id === model.model_id)
    .map(({ replica }) => replica)
    .sort((a, b) => a - b);
}

function stateWords(state: string, isPaused: boolean, problem: Error | null): string {
  if (state === "opening") return "Opening…";
  if (state === "away") return `${problem?.message ?? "The log broke off."} Shown is what was known before.`;
  return isPaused ? "Paused." : "Following.";
}
