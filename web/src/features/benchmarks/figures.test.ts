import { expect, it } from "vitest";
import { bestOf, columnsOf, type Order, orderAfter, ordered, topOfColumn } from "./columns";
import { byModel, MEASURES, placeOf, ratioWords, reachOf, verdictOf } from "./comparison";
import { rangeWords } from "./range";
import { placeLabels, radiusOf, ticksOf } from "./scale";
import { aBenchmark, aResult, aSpread, NO_FIGURES, someFigures } from "./testing";
import type { Compared, Ratio } from "./wire";

const columns = columnsOf(aBenchmark());
const column = (id: string) => {
  const found = columns.find((each) => each.id === id);
  if (!found) throw new Error(id);
  return found;
};
const at = (model: string, perSecond: number | null) =>
  aResult({
    model,
    figures: perSecond === null ? NO_FIGURES : someFigures({ output_per_second: aSpread(perSecond) }),
  });
const RESULTS = [at("slow", 10), at("unknown", null), at("fast", 30), at("middle", 20)];

it.each([
  [true, ["fast", "middle", "slow", "unknown"]],
  [false, ["slow", "middle", "fast", "unknown"]],
])("sorts, descending %s, with what is not known last", (descending, models) => {
  const sorted = ordered(RESULTS, column("output_per_second"), descending);
  expect(sorted.map(({ model }) => model)).toEqual(models);
});

it.each<[Order | null, string, Order]>([
  [null, "output_per_second", { by: "output_per_second", descending: true }],
  [null, "load_seconds", { by: "load_seconds", descending: false }],
  [{ by: "load_seconds", descending: false }, "load_seconds", { by: "load_seconds", descending: true }],
  [{ by: "load_seconds", descending: true }, "total_seconds", { by: "total_seconds", descending: false }],
])("after %o and a press on %s sorts by %o", (before, id, order) => {
  expect(orderAfter(before, column(id))).toEqual(order);
});

it("names the best only where there is one", () => {
  expect(bestOf(RESULTS, column("output_per_second"))?.model).toBe("fast");
  expect(bestOf([at("a", 10), at("b", 10)], column("output_per_second"))).toBeNull();
  expect(bestOf([at("a", 10)], column("output_per_second"))).toBeNull();
  expect(bestOf(RESULTS, column("output_tokens"))).toBeNull();
  expect(bestOf([at("a", 10), at("b", 11)], column("output_per_second"))).toBeNull();
  const load = (model: string, load_seconds: number) => aResult({ model, load_seconds });
  expect(bestOf([load("a", 2), load("b", 1), load("c", 3)], column("load_seconds"))?.model).toBe("b");
  const twice = someFigures({ output_per_second: aSpread(90, { count: 2 }) });
  expect(bestOf([at("a", 10), aResult({ figures: twice })], column("output_per_second"))).toBeNull();
});

it("shows energy and a judge's score where there are any", () => {
  const ids = columns.map(({ id }) => id);
  expect(ids).not.toContain("energy_joules");
  expect(ids).not.toContain("score");
  const judged = aBenchmark({
    machine: { engine: null, cpus: 8, memory_mb: 1, energy: "RAPL" },
    judgement: { judge: "qwen_7b_fast", comparisons: [], first_place_share: null },
  });
  expect(columnsOf(judged).map(({ id }) => id)).toEqual(["score", ...ids, "energy_joules"]);
});

it("scales a column's bars to its greatest value", () => {
  expect(topOfColumn(RESULTS, column("output_per_second"))).toBeCloseTo(33);
  expect(topOfColumn([], column("output_per_second"))).toBe(0);
});

it("tells a range in words", () => {
  expect(rangeWords(aSpread(10), String)).toBe("9 to 11; 10th to 90th percentile 9 to 11, of 3");
  expect(rangeWords(aSpread(10, { count: 1 }), String)).toBe("one measurement");
});

it.each([
  [0, [0, 0.2, 0.4, 0.6, 0.8, 1].slice(0, 2)],
  [1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [34, [0, 10, 20, 30, 40]],
  [1600, [0, 500, 1000, 1500, 2000]],
  [90, [0, 20, 40, 60, 80, 100]],
])("marks a scale up to %d", (greatest, ticks) => {
  expect(ticksOf(greatest)).toEqual(ticks);
});

it("draws memory as area", () => {
  expect(radiusOf(100, 100, 16)).toBe(16);
  expect(radiusOf(25, 100, 16)).toBe(8);
  expect(radiusOf(0.01, 100, 15)).toBe(3);
  expect(radiusOf(null, 100, 15)).toBe(5);
});

it("writes a name where nothing is in its way, and never beyond the edge", () => {
  const spot = (x: number, y: number) => ({ x, y, radius: 5, words: "0123456789" });
  const [left, right] = placeLabels([spot(20, 50), spot(40, 50)], 200, 100);
  expect(left?.anchor).not.toBe("end");
  expect(left).not.toEqual({ x: 30, y: 54, anchor: "start" });
  expect(right).toEqual({ x: 50, y: 54, anchor: "start" });
  expect(placeLabels([spot(190, 50)], 200, 100)[0]?.anchor).toBe("end");
  expect(placeLabels([spot(40, 2)], 80, 100)[0]).toMatchObject({ anchor: "middle" });
});

const ratio = (of: number, spread = 1.1): Ratio => {
  const [low, high] = [of / spread, of * spread];
  return { a: aSpread(1), b: aSpread(of), ratio: of, low, high, is_clear: low > 1 || high < 1 };
};

it.each([
  ["output_per_second", 1.5, "faster"],
  ["output_per_second", 0.5, "slower"],
  ["total_seconds", 0.5, "faster"],
  ["total_seconds", 1.5, "slower"],
  ["total_seconds", 1.05, "unclear"],
] as const)("calls a ratio of %s of %d %s", (id, of, verdict) => {
  const measure = MEASURES.find((each) => each.id === id);
  if (measure) expect(verdictOf(ratio(of), measure)).toBe(verdict);
  expect(measure).toBeDefined();
});

it.each([
  [1.234, "1.23×"],
  [12.34, "12×"],
  [0.0123, "0.012×"],
])("says %d as %s", (of, words) => {
  expect(ratioWords(of)).toBe(words);
});

it("draws ratios around 1, as far as the widest reaches", () => {
  const none = { first_token_seconds: null, prompt_per_second: null, total_seconds: null };
  const compared: Compared[] = [
    { model: "a", prompt: null, ratios: { ...none, output_per_second: ratio(0.25, 1) } },
    { model: "a", prompt: "tea", ratios: { ...none, output_per_second: null } },
  ];
  expect(reachOf(compared)).toBe(4);
  expect(reachOf([])).toBe(1.25);
  expect([0.25, 0.5, 1, 2, 4, 9, 0].map((of) => placeOf(of, 4))).toEqual([0, 25, 50, 75, 100, 100, 0]);
  expect(byModel(compared)).toEqual([{ model: "a", all: compared[0], prompts: [compared[1]] }]);
});
