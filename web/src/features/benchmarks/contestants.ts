import type { Model, Status, Tier } from "../../lib/api";
import { isLaunchable } from "../../lib/status";
import type { Upstreams } from "./wire";

/** A name that can be measured: a model, a variant of one, or a model elsewhere. */
export interface Contestant {
  name: string;
  label: string;
  /** Whose server that is; null for one elsewhere, of which nothing else is known either. */
  modelId: string | null;
  tier: Tier | null;
  status: Status | null;
  enabled: boolean;
  memoryMb: number | null;
  sizeB: number | null;
}

/** Which of them are looked for. */
export interface Sought {
  search: string;
  tier: Tier | "elsewhere" | "";
}

/** A sensible first run asks so many, where there are so many. */
const FIRST_MODELS = { least: 2, most: 3 };

/** Whatever chats: those that run, those that are enabled, the others; then what is elsewhere. */
export function contestantsOf(models: Model[], upstreams: Upstreams["upstreams"]): Contestant[] {
  const chats = models.filter((model) => model.kind === "chat" && isLaunchable(model));
  const byLabel = (a: Model, b: Model) => a.display_name.localeCompare(b.display_name);
  const own = chats.sort((a, b) => rank(a) - rank(b) || byLabel(a, b)).flatMap(itsNames);
  const elsewhere = upstreams.flatMap(({ name, models: served }) => served.map((of) => remote(name, of)));
  return [...own, ...elsewhere];
}

export function soughtOf(contestants: Contestant[], { search, tier }: Sought): Contestant[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return contestants.filter((contestant) => {
    const place = contestant.modelId === null ? "elsewhere" : contestant.tier;
    const text = `${contestant.name} ${contestant.label} ${contestant.status ?? ""}`.toLowerCase();
    return (!tier || tier === place) && words.every((word) => text.includes(word));
  });
}

/** For a first run: what runs already, and the smallest that are enabled where that is no company. No variants. */
export function firstOf(contestants: Contestant[]): Contestant[] {
  const models = contestants.filter(({ name, modelId }) => name === modelId);
  const running = models.filter(({ status }) => status === "running");
  const enabled = models.filter((contestant) => contestant.enabled && !running.includes(contestant));
  const bySize = (a: Contestant, b: Contestant) =>
    (a.memoryMb ?? Number.POSITIVE_INFINITY) - (b.memoryMb ?? Number.POSITIVE_INFINITY);
  const count = Math.min(FIRST_MODELS.most, Math.max(FIRST_MODELS.least, running.length));
  return [...running.sort(bySize), ...enabled.sort(bySize)].slice(0, count);
}

function rank({ status, enabled }: Model): number {
  if (status === "running") return 0;
  return enabled ? 1 : 2;
}

function itsNames(model: Model): Contestant[] {
  const itself: Contestant = {
    name: model.model_id,
    label: model.display_name,
    modelId: model.model_id,
    tier: model.tier,
    status: model.status,
    enabled: model.enabled,
    memoryMb: model.measured_memory_mb ?? model.estimated_memory_mb,
    sizeB: model.size_b,
  };
  const variants = (model.settings.variants ?? []) as { name: string }[];
  return [
    itself,
    ...variants.map(({ name }) => ({
      ...itself,
      name: `${model.model_id}:${name}`,
      label: `${model.display_name} · ${name}`,
    })),
  ];
}

function remote(upstream: string, model: string): Contestant {
  return {
    name: `${upstream}/${model}`,
    label: `${model} at ${upstream}`,
    modelId: null,
    tier: null,
    status: null,
    enabled: false,
    memoryMb: null,
    sizeB: null,
  };
}
