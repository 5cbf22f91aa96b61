import { Light } from "../../components/light";
import type { Model, Server } from "../../lib/api";
import { lightOf, statusNote } from "../../lib/status";

/** The status as a lamp and in words, and below it for how long or how far. */
export function StatusWords({ model, server }: { model: Model; server: Server | undefined }) {
  const note = model.restart_required ? "restart to apply" : statusNote(model.status, server);
  const progress = model.status === "starting" ? (server?.progress ?? null) : null;
  const degraded = model.status === "running" ? server?.degraded : null;
  return (
    <div className="status">
      <Light colour={lightOf(model.status)} progress={progress} />
      <span className="status-word">{model.status}</span>
      <span className="status-note">{note}</span>
      {degraded && <strong className="status-degraded">{degraded}</strong>}
    </div>
  );
}
