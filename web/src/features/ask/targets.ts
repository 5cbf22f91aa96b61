import type { Model, Tier } from "../../lib/api";
import { askedAs, KINDS } from "./modes/kinds";

/** A name that can be asked. */
export interface Target {
  name: string;
  label: string;
  group: "Whichever is best" | "Running" | "Started by a question" | "Several models";
  /** What a question to it means just now. */
  note: string;
  sees: boolean;
}

const TIERS: Tier[] = ["fast", "balanced", "powerful"];

/** Whom a question may be put to: `auto` and the tiers, then each model and its variants, those that run first. */
export function targetsOf(models: Model[]): Target[] {
  const askable = models.filter(isAskable);
  const running = askable.filter(({ status }) => status === "running");
  const stopped = askable.filter(({ status }) => status !== "running");
  return [
    ...(askable.length > 0 ? [collective("auto", "Auto", askable)] : []),
    ...TIERS.flatMap((tier) => {
      const members = askable.filter((model) => model.tier === tier);
      return members.length > 0 ? [collective(tier, capital(tier), members)] : [];
    }),
    ...running.flatMap((model) => itsNames(model, "Running")),
    ...stopped.flatMap((model) => itsNames(model, "Started by a question")),
  ];
}

/** The modes, where they are offered beside models. */
export const MODE_TARGETS: readonly Target[] = KINDS.map(({ mode, label, words }) => ({
  name: askedAs(mode),
  label: `${label} mode`,
  group: "Several models",
  note: words,
  sees: false,
}));

/** By whom the next question is answered where nobody was chosen. */
export function atHand(targets: Target[], before: string | undefined): string | undefined {
  const known = targets.find(({ name }) => name === before);
  return (known ?? targets.find(({ group }) => group === "Running") ?? targets[0])?.name;
}

function isAskable({ kind, status, enabled, held, missing, problem }: Model): boolean {
  if (kind !== "chat" || missing || problem !== null) return false;
  return ["running", "starting", "queued"].includes(status) || (enabled && !held);
}

function collective(name: string, label: string, members: Model[]): Target {
  const running = members.filter(({ status }) => status === "running").length;
  const which = name === "auto" ? "model" : `${name} model`;
  const starts = `No ${which} runs. Your question starts one.`;
  return {
    name,
    label,
    group: "Whichever is best",
    note: running > 0 ? `The best ${which} for the question; ${running} running.` : starts,
    sees: members.some(sees),
  };
}

function itsNames(model: Model, group: Target["group"]): Target[] {
  const itself = {
    name: model.model_id,
    label: model.display_name,
    group,
    note: noteOf(model),
    sees: sees(model),
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

function noteOf({ status }: Model): string {
  if (status === "running") return "Running.";
  if (status === "starting" || status === "queued") return "Loading. Your question waits for it.";
  return "Stopped. Your question starts it.";
}

const sees = ({ capabilities }: Model): boolean => capabilities.includes("vision");

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
