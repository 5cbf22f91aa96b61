import type { Model, Server } from "../../lib/api";
import { memoryWords } from "../../lib/format";

/** What it takes now; with ~ what it took last time, or should take. */
export function MemoryWords({ model, server }: { model: Model; server: Server | undefined }) {
  if (server !== undefined && server.status === model.status && server.memory_used_mb > 0) {
    return (
      <span title={`Resident; ending it would free ${memoryWords(server.memory_private_mb)}`}>
        {memoryWords(server.memory_used_mb)}
      </span>
    );
  }
  const expected = model.measured_memory_mb ?? model.estimated_memory_mb;
  if (expected === null) return <span>–</span>;
  const isMeasured = model.measured_memory_mb !== null;
  return (
    <span
      className="expected"
      title={isMeasured ? "Measured when it last ran" : "Estimated from its header and its settings"}
    >
      ~{memoryWords(expected)}
      <span className="fact-note">{isMeasured ? "measured" : "estimated"}</span>
    </span>
  );
}
