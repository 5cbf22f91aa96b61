import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Banner } from "../../components/banner";
import { CopyButton } from "../../components/copy-button";
import { Press } from "../../components/press";
import { api, type System } from "../../lib/api";
import { say } from "../../lib/toasts";
import "./engine-banner.css";

/** Without llama-server nothing can start: what is wrong, and the one command that helps on this machine. */
export function EngineBanner({ system }: { system: System | undefined }) {
  const client = useQueryClient();
  const look = useMutation({
    mutationFn: () => api.system(),
    onSuccess: (seen: System) => {
      client.setQueryData(["system"], seen);
      // What an engine says of itself was kept as unknown.
      for (const key of ["engines", "options"]) void client.invalidateQueries({ queryKey: [key] });
      const { found, problem, version } = seen.engine;
      const isThere = found && problem === null;
      say(isThere ? `llama-server is there: ${version ?? "version unknown"}` : "Still none that runs.");
    },
    onError: (failure: Error) => say(failure.message, { tone: "bad" }),
  });
  if (system === undefined || (system.engine.found && system.engine.problem === null)) return null;
  const { found, problem, install } = system.engine;
  const title = found ? "llama-server cannot be run" : "llama-server not found";
  return (
    <Banner tone="bad" title={`${title}: models cannot start`}>
      <div className="engine-help">
        <p>Type this into a terminal on the machine that Synapse Engine runs on:</p>
        <p className="engine-command">
          <code>{install}</code>
          <CopyButton label="Copy the command" text={install} />
        </p>
        <p>
          <Press available={!look.isPending} onPress={() => look.mutate()}>
            LOOK AGAIN
          </Press>
        </p>
        {problem && <p className="engine-problem">{problem}</p>}
      </div>
    </Banner>
  );
}
