import type { Model, Server, Status, Tier } from "../../lib/api";
import type { ColumnId } from "./columns";

export interface Order {
  by: ColumnId;
  descending: boolean;
}

type Sortable = string | number | null;

const TIERS: Record<Tier, number> = { fast: 0, balanced: 1, powerful: 2 };
const STATUSES: Record<Status, number> = {
  running: 0,
  starting: 1,
  queued: 2,
  stopping: 3,
  backoff: 4,
  failed: 5,
  stopped: 6,
};
const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

const VALUES: Record<ColumnId, (model: Model, server: Server | undefined) => Sortable> = {
  enabled: (model) => (model.enabled ? 0 : 1),
  status: (model) => STATUSES[model.status],
  name: (model) => model.display_name,
  family: (model) => model.family,
  size: (model) => model.size_b,
  quantization: (model) => model.quantization,
  tier: (model) => TIERS[model.tier],
  context: (model) => model.context_length,
  memory: (model, server) => memoryOf(model, server),
  port: (model) => model.port,
};

/** Memory in MB: what it takes now, else what it took, else what it should take. */
export function memoryOf(model: Model, server: Server | undefined): number | null {
  if (server !== undefined && server.memory_used_mb > 0) return server.memory_used_mb;
  return model.measured_memory_mb ?? model.estimated_memory_mb;
}

/** In order; what has no value comes last either way, and equals go by name. */
export function ordered(models: Model[], order: Order, servers: ReadonlyMap<string, Server>): Model[] {
  const sortValue = VALUES[order.by];
  const keyed = models.map((model) => ({ model, value: sortValue(model, servers.get(model.model_id)) }));
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) {
      return Number(a.value === null) - Number(b.value === null) || byName(a.model, b.model);
    }
    const difference = compared(a.value, b.value);
    return (order.descending ? -difference : difference) || byName(a.model, b.model);
  });
  return keyed.map(({ model }) => model);
}

/** Every word of the search must be somewhere in what the row says about the model. */
export function found(models: Model[], search: string): Model[] {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return models;
  return models.filter((model) => {
    const text = searchable(model);
    return wanted.every((word) => text.includes(word));
  });
}

function searchable(model: Model): string {
  const { display_name, model_id, family, quantization, tier, kind, status, repo, port, file_path } = model;
  const flags = [
    model.enabled ? "enabled" : "disabled",
    model.missing && "missing",
    model.problem && "problem",
  ];
  return [
    display_name,
    model_id,
    family,
    quantization,
    tier,
    kind,
    status,
    repo,
    port,
    file_path,
    ...model.aliases,
    ...model.capabilities,
    ...flags,
  ]
    .filter(Boolean)
    .join(" ")
    .toLowerCase();
}

function compared(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number" ? a - b : words.compare(String(a), String(b));
}

function byName(a: Model, b: Model): number {
  return words.compare(a.display_name, b.display_name);
}
