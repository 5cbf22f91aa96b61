import type { Model, Status, Tier } from "../../lib/api";

export type Kind = Model["kind"];
export type Flag = "enabled" | "held" | "missing" | "problem";

/** What is let through, by field: any of the named tiers, kinds and statuses, and only with all of the flags. Empty is all. */
export interface Filters {
  tier: Tier[];
  kind: Kind[];
  status: Status[];
  only: Flag[];
}

export type Field = keyof Filters;

/** Every value that a field may be filtered by, in the order in which it is shown. */
export const VALUES = {
  tier: ["fast", "balanced", "powerful"],
  kind: ["chat", "embedding", "reranking"],
  status: ["running", "starting", "queued", "stopping", "backoff", "failed", "stopped"],
  only: ["enabled", "held", "missing", "problem"],
} as const satisfies { [F in Field]: readonly Filters[F][number][] };

export const FIELDS = Object.keys(VALUES) as Field[];

export const NO_FILTERS: Filters = { tier: [], kind: [], status: [], only: [] };

export type Counts = Record<Field, ReadonlyMap<string, number>>;

export function isFiltered(filters: Filters): boolean {
  return FIELDS.some((field) => filters[field].length > 0);
}

export function passing(models: Model[], filters: Filters): Model[] {
  if (!isFiltered(filters)) return models;
  return models.filter((model) => FIELDS.every((field) => passes(model, filters, field)));
}

/** How many models there would be for each value: of one field's, those that pass all other fields. */
export function counted(models: Model[], filters: Filters): Counts {
  const counts = { tier: new Map(), kind: new Map(), status: new Map(), only: new Map() };
  for (const model of models) {
    const failed = FIELDS.filter((field) => !passes(model, filters, field));
    for (const field of FIELDS) {
      // Flags add up, so that what else is wanted of them counts too.
      const isCounted =
        failed.length === 0 || (failed.length === 1 && failed[0] === field && field !== "only");
      if (!isCounted) continue;
      for (const value of valuesOf(model, field)) {
        counts[field].set(value, (counts[field].get(value) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** With a value put in or, where it is in, taken out. */
export function turned<F extends Field>(filters: Filters, field: F, value: string): Filters {
  const now: readonly string[] = filters[field];
  const next = now.includes(value) ? now.filter((other) => other !== value) : [...now, value];
  return { ...filters, [field]: VALUES[field].filter((known) => next.includes(known)) };
}

function passes(model: Model, filters: Filters, field: Field): boolean {
  const wanted: readonly string[] = filters[field];
  if (wanted.length === 0) return true;
  const own = valuesOf(model, field);
  return field === "only"
    ? wanted.every((value) => own.includes(value))
    : wanted.some((value) => own.includes(value));
}

function valuesOf(model: Model, field: Field): readonly string[] {
  return field === "only" ? flagsOf(model) : [model[field]];
}

function flagsOf(model: Model): Flag[] {
  const flags: [Flag, boolean][] = [
    ["enabled", model.enabled],
    ["held", model.held],
    ["missing", model.missing],
    ["problem", model.problem !== null],
  ];
  return flags.filter(([, isSo]) => isSo).map(([flag]) => flag);
}
