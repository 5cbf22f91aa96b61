import { expect, it } from "vitest";
import { NO_FILTERS } from "./filters";
import { FIRST_ORDER, type View, viewOf, wordsOf } from "./view";

const NOTHING: View = { search: "", filters: NO_FILTERS, order: FIRST_ORDER };

it.each<[string, Partial<View>]>([
  ["", {}],
  ["q=qwen 7b", { search: "qwen 7b" }],
  ["tier=fast,powerful", { filters: { ...NO_FILTERS, tier: ["fast", "powerful"] } }],
  [
    "kind=embedding&status=failed&only=held",
    { filters: { ...NO_FILTERS, kind: ["embedding"], status: ["failed"], only: ["held"] } },
  ],
  ["sort=-memory", { order: { by: "memory", descending: true } }],
  ["sort=size", { order: { by: "size", descending: false } }],
])("%o is read, and told again in the same words", (query, view) => {
  const read = viewOf(new URLSearchParams(query));
  expect(read).toEqual({ ...NOTHING, ...view });
  const words = Object.entries(wordsOf(read)).filter(([, word]) => word);
  expect(decodeURIComponent(new URLSearchParams(words).toString()).replaceAll("+", " ")).toBe(query);
});

it("takes no harm from an address that somebody made up", () => {
  expect(viewOf(new URLSearchParams("tier=huge,fast&sort=-beauty&only=&status=,"))).toEqual({
    ...NOTHING,
    filters: { ...NO_FILTERS, tier: ["fast"] },
  });
});
