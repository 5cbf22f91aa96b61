import { Banner } from "../../components/banner";
import type { System } from "../../lib/api";

/** Without llama-server nothing can start: what is wrong, and the command that helps. */
export function EngineBanner({ system }: { system: System | undefined }) {
  if (system === undefined || system.engine.found) return null;
  return (
    <Banner tone="bad" title="llama-server not found: models cannot start">
      {system.engine.problem && <p>{system.engine.problem}</p>}
      <p>
        Install one: <code>pip install 'synapse-engine[engine]'</code> (Linux x86-64) or your package
        manager's llama.cpp, or set <code>LLAMA_SERVER_PATH</code> to its file.
      </p>
    </Banner>
  );
}
