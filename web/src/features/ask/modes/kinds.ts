import type { QueryAsk, QueryOptions } from "../../../lib/api";

export type Mode = QueryAsk["mode"];

/** How a mode is asked. models: in the order of its places; empty: the mode picks. options: only those that were set. */
export interface Plan {
  mode: Mode;
  models: string[];
  options: QueryOptions;
}

export interface Kind {
  mode: Mode;
  label: string;
  /** What it does, in a sentence. */
  words: string;
  /** What the models are there for, one after the other; further ones are as the last. */
  places: string[];
  /** How many models it takes at least, once they are named, and at most. */
  fewest: number;
  most: number;
}

/** Every mode that is offered. `simple` is not: that is what Chat does. */
export const KINDS: readonly Kind[] = [
  {
    mode: "auto",
    label: "Auto",
    words: "Weighs the question: an easy one is answered at once, another one drafted and refined.",
    places: ["Answers or drafts", "Refines"],
    fewest: 1,
    most: 2,
  },
  {
    mode: "two_stage",
    label: "Two-stage",
    words: "A fast model drafts, a stronger one refines the draft.",
    places: ["Drafts", "Refines"],
    fewest: 2,
    most: 2,
  },
  {
    mode: "council",
    label: "Council",
    words: "Several answer, review each other blind and refine; the strongest puts it together.",
    places: ["Member"],
    fewest: 1,
    most: 8,
  },
  {
    mode: "debate",
    label: "Debate",
    words: "One argues for it and one against it, in turns; somebody neutral sums up.",
    places: ["PRO", "CON", "Sums up"],
    fewest: 1,
    most: 3,
  },
  {
    mode: "benchmark",
    label: "Compare",
    words: "Every model answers the same question; answers and figures side by side.",
    places: ["Model"],
    fewest: 1,
    most: 100,
  },
];

const LABELS: Record<Mode, string> = {
  ...(Object.fromEntries(KINDS.map(({ mode, label }) => [mode, label])) as Record<Mode, string>),
  simple: "Simple",
};

export const modeLabel = (mode: Mode): string => LABELS[mode];

/** The name by which any client can ask the mode as if it were a model. */
export const askedAs = (mode: Mode): string => `synapse/${mode}`;

/** Which mode is meant by such a name, if it is one. */
export function modeNamed(name: string): Mode | null {
  return KINDS.find(({ mode }) => askedAs(mode) === name)?.mode ?? null;
}

export const newPlan = (mode: Mode): Plan => ({ mode, models: [], options: {} });

/** Where a model of that number is placed: `PRO`, `Member 3`. */
export function placeOf({ places }: Kind, index: number): string {
  const place = places[Math.min(index, places.length - 1)] ?? "";
  const isNumbered = index >= places.length - 1 && places.length === 1;
  return isNumbered ? `${place} ${index + 1}` : place;
}

/** Why it cannot be asked like this; null where it can. */
export function problemOf({ mode, options }: Plan): string | null {
  const { personas } = options;
  if (mode !== "debate" || typeof personas !== "object" || !personas) return null;
  const isWhole = [personas.pro, personas.con].every(({ name, manner }) => name.trim() && manner.trim());
  return isWhole ? null : "Give both sides a name and a manner.";
}
