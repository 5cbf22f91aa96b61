import { Devices } from "../features/system/devices";
import type { Model, System } from "../lib/api";
import { countWords } from "../lib/format";
import "./masthead.css";

/** Whose page this is, what it is about, and how things stand. */
export function Masthead({ system, models }: { system: System | undefined; models: Model[] | undefined }) {
  return (
    <header className="masthead">
      <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M7 24C7 11 25 21 25 8" />
        <circle className="mark-from" cx="7" cy="24" r="4.5" />
        <circle className="mark-to" cx="25" cy="8" r="5" />
      </svg>
      <div>
        <p className="maker">Synapse Engine {system?.version}</p>
        <h1>Model Management</h1>
      </div>
      <div className="standing">
        <p>{models && standing(models)}</p>
        <Devices devices={system?.devices ?? []} />
      </div>
    </header>
  );
}

function standing(models: Model[]): string {
  const count = (status: Model["status"]) => models.filter((model) => model.status === status).length;
  const parts = [
    countWords(models.length, "model"),
    countWords(models.filter((model) => model.enabled).length, "enabled", "enabled"),
    countWords(count("running"), "running", "running"),
  ];
  if (count("failed") > 0) parts.push(countWords(count("failed"), "failed", "failed"));
  return parts.join(" · ");
}
