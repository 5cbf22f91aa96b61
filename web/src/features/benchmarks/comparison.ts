import type { Compared, Ratio, Ratios } from "./wire";

/** A figure that two runs are compared by, and which end of it is better. */
export interface Measure {
  id: keyof Ratios;
  label: string;
  better: "more" | "less";
}

export const MEASURES: Measure[] = [
  { id: "first_token_seconds", label: "First token", better: "less" },
  { id: "prompt_per_second", label: "Prompt", better: "more" },
  { id: "output_per_second", label: "Generation", better: "more" },
  { id: "total_seconds", label: "Total", better: "less" },
];

export type Verdict = "faster" | "slower" | "unclear";

/** What a ratio means, b against a. It is only said where the spreads of both lie apart. */
export function verdictOf({ ratio, is_clear }: Ratio, { better }: Measure): Verdict {
  if (!is_clear || ratio === 1) return "unclear";
  return ratio > 1 === (better === "more") ? "faster" : "slower";
}

export const VERDICTS: Record<Verdict, string> = {
  faster: "faster",
  slower: "slower",
  unclear: "may be chance",
};

/** `1.23×`, with as many digits as say something. */
export function ratioWords(ratio: number): string {
  return `${ratio >= 10 ? ratio.toFixed(0) : ratio >= 0.1 ? ratio.toFixed(2) : ratio.toPrecision(2)}×`;
}

/** How far a scale must reach from 1 in both directions, as a factor, so that all of it is seen. */
export function reachOf(compared: Compared[]): number {
  const ratios = compared.flatMap((each) => MEASURES.map(({ id }) => each.ratios[id]));
  const known = ratios.filter((ratio) => ratio !== null);
  return Math.max(1.25, ...known.flatMap(({ low, high }) => [high, 1 / low].filter(Number.isFinite)));
}

/** Where a ratio lies on that scale, from 0 to 100; 1 is in the middle. */
export function placeOf(ratio: number, reach: number): number {
  const share = Math.log(ratio) / Math.log(reach);
  return Math.min(100, Math.max(0, 50 + 50 * share));
}

/** All prompts of a model together, and then each of them. */
export function byModel(compared: Compared[]): { model: string; all: Compared; prompts: Compared[] }[] {
  return compared
    .filter(({ prompt }) => prompt === null)
    .map((all) => ({
      model: all.model,
      all,
      prompts: compared.filter(({ model, prompt }) => model === all.model && prompt !== null),
    }));
}
