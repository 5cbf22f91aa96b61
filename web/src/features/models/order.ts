import type { Model, Server, Status, Tier } from "../../lib/api";
import type { ColumnId } from "./columns";

export interface Order {
  by: ColumnId;
  descending: boolean;
}

/** What is known of models beside themselves, by their ids. speeds: tokens per second. */
export interface Readings {
  servers: ReadonlyMap<string, Server>;
  speeds: ReadonlyMap<string, number>;
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

const VALUES: Record<ColumnId, (model: Model, readings: Readings) => Sortable> = {
  enabled: (model) => (model.enabled ? 0 : 1),
  status: (model) => STATUSES[model.status],
  name: nameOf,
  family: (model) => model.family,
  size: (model) => model.size_b,
  quantization: (model) => model.quantization,
  tier: (model) => TIERS[model.tier],
  context: contextOf,
  memory: (model, { servers }) => memoryOf(model, servers.get(model.model_id)),
  speed: (model, { speeds }) => speeds.get(model.model_id) ?? null,
  port: (model) => model.port,
};

/** Memory in MB: what it takes now, else what it took, else what it should take. */
export function memoryOf(model: Model, server: Server | undefined): number | null {
  if (server !== undefined && server.memory_used_mb > 0) return server.memory_used_mb;
  return model.measured_memory_mb ?? model.estimated_memory_mb;
}

/** Tokens: what a person set, else what it was trained for. */
export function contextOf({ settings, context_length }: Model): number | null {
  return typeof settings.ctx_size === "number" && settings.ctx_size > 0 ? settings.ctx_size : context_length;
}

/** In order; what has no value comes last either way, and equals go by name. */
export function ordered(models: Model[], order: Order, readings: Readings): Model[] {
  const sortValue = VALUES[order.by];
  const keyed = models.map((model) => ({ model, name: nameOf(model), value: sortValue(model, readings) }));
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) {
      return Number(a.value === null) - Number(b.value === null) || compared(a.name, b.name);
    }
    const difference = compared(a.value, b.value);
    return (order.descending ? -difference : difference) || compared(a.name, b.name);
  });
  return keyed.map(({ model }) => model);
}

const names = new WeakMap<Model, string>();

/** The name so that its letters are in the order in which people count: thousands are sorted at each event. */
function nameOf(model: Model): string {
  const known = names.get(model);
  if (known !== undefined) return known;
  const name = model.display_name.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0"));
  names.set(model, name);
  return name;
}

function compared<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
