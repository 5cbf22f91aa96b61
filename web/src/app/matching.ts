import type { Action } from "../lib/feature";

/** The actions that hold every word, those first whose own words begin with them. */
export function matching(actions: Action[], wanted: string): Action[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return actions;
  return actions
    .map((action) => ({ action, rank: rankOf(action, words) }))
    .filter(({ rank }) => rank !== null)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0))
    .map(({ action }) => action);
}

/** How far from its label's words the wanted ones are; null where one is missing. */
function rankOf({ label, hint = "" }: Action, words: string[]): number | null {
  const own = label.toLowerCase();
  const all = `${own} ${hint.toLowerCase()}`;
  if (!words.every((word) => all.includes(word))) return null;
  const starts = words.filter((word) => ` ${own}`.includes(` ${word}`)).length;
  return words.length - starts + (own.startsWith(words[0] ?? "") ? 0 : 1);
}
