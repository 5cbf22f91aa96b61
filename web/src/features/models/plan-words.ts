import type { Plan } from "../../lib/api";
import { memoryWords } from "../../lib/format";

export interface PlanWords {
  tone: "fits" | "stops" | "short";
  text: string;
}

/** What a start would come to, in a sentence. nameOf: the display name for a server's id. */
export function planWords(name: string, plan: Plan, nameOf: (serverId: string) => string): PlanWords {
  const needed = `${memoryWords(plan.needed_mb)}${plan.is_measured ? "" : " (estimated)"}`;
  const notice = plan.notice ? ` ${plan.notice}` : "";
  if (!plan.fits) {
    const text = `${name} does not fit: it takes ${needed}, ${memoryWords(shortMb(plan))} more than is free.`;
    return { tone: "short", text: `${text} ${wayOut(plan.detail ?? "", nameOf)}`.trim() };
  }
  if (plan.evicts.length > 0) {
    const text = `${name} takes ${needed}. ${listed(plan.evicts.map(nameOf))} would stop for it.`;
    return { tone: "stops", text: text + notice };
  }
  const left = memoryWords(Math.max(0, plan.free_mb - plan.needed_mb));
  return { tone: "fits", text: `${name} takes ${needed} and leaves ${left} free.${notice}` };
}

/** MB that are missing, on all devices together. */
export function shortMb({ devices }: Plan): number {
  return devices.reduce((sum, { needed_mb, free_mb }) => sum + Math.max(0, needed_mb - free_mb), 0);
}

/** The display name for a server's id, which is its model's, with `#2` behind it for a second replica. */
export function nameIn(names: ReadonlyMap<string, string>): (serverId: string) => string {
  return (serverId) => {
    const [modelId = "", replica] = serverId.split("#", 2);
    const name = names.get(modelId) ?? modelId;
    return replica ? `replica ${replica} of ${name}` : name;
  };
}

function wayOut(detail: string, nameOf: (serverId: string) => string): string {
  const stops = /To free enough, (.+?) would have to stop/.exec(detail)?.[1];
  if (stops) return `To free enough, ${listed(stops.split(", ").map(nameOf))} would have to stop.`;
  if (detail.includes("All servers together may have"))
    return "That is more than all servers together may have.";
  return "Other programs hold the rest.";
}

function listed(words: string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
