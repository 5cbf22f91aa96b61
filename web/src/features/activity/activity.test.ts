import { expect, it } from "vitest";
import { linePath, topOf } from "../../components/plot";
import { secondsWords } from "../../lib/format";
import { totalsOf } from "./series";
import { anEnded } from "./testing";
import { passes, withEnded } from "./traffic";
import type { Bucket, Filter, Page } from "./wire";

const ANY: Filter = { model: "", outcome: "", dialect: "" };
const past = (...pages: Page[]) => ({ pages, pageParams: pages.map(() => null) });
const idsOf = ({ pages }: { pages: Page[] }) => pages.map(({ calls }) => calls.map(({ id }) => id));

it("takes what has ended in the order of arrival, each once", () => {
  const before = past({ calls: [anEnded({ id: 9 }), anEnded({ id: 5 })], next: null });
  const fresh = [anEnded({ id: 7 }), anEnded({ id: 9 }), anEnded({ id: 11 })];
  expect(idsOf(withEnded(before, fresh, ANY))).toEqual([[11, 9, 7, 5]]);
});

it("leaves to a later page what arrived before the first page's oldest", () => {
  const before = past({ calls: [anEnded({ id: 9 })], next: 9 }, { calls: [anEnded({ id: 4 })], next: null });
  expect(idsOf(withEnded(before, [anEnded({ id: 6 }), anEnded({ id: 10 })], ANY))).toEqual([[10, 9], [4]]);
});

it("does not grow without end, and goes on where it was cut", () => {
  const calls = Array.from({ length: 500 }, (_, index) => anEnded({ id: 1000 - index }));
  const after = withEnded(past({ calls, next: 501 }), [anEnded({ id: 1001 })], ANY);
  expect(after.pages).toHaveLength(1);
  expect(after.pages[0]?.calls).toHaveLength(500);
  expect(after.pages[0]?.calls[0]?.id).toBe(1001);
  expect(after.pages[0]?.next).toBe(502);
});

it.each<[Partial<Filter>, boolean]>([
  [{}, true],
  [{ model: "qwen_7b_fast" }, true],
  [{ model: "other" }, false],
  [{ outcome: "error" }, false],
  [{ outcome: "ok", dialect: "ollama" }, false],
])("lets %o through: %s", (filter, isWanted) => {
  expect(passes(anEnded(), { ...ANY, ...filter })).toBe(isWanted);
});

it("draws a line with gaps, and a lone point too", () => {
  expect(linePath([0, 5, null, 10, null], 10, 40)).toBe("M0.5 40L1.5 20M3.5 0h0.6");
  expect(linePath([null], 10, 40)).toBe("");
});

it.each([
  [[], 1],
  [[null, 0], 1],
  [[3], 5],
  [[0.7, 0.2], 1],
  [[1001], 2000],
])("has for %o a scale to %d", (values, top) => {
  expect(topOf(values)).toBeCloseTo(top);
});

it("weighs a minute's figures by what they are made of", () => {
  const bucket: Bucket = {
    at: "2026-01-01T00:00:00Z",
    requests: 1,
    errors: 0,
    prompt_tokens: 1,
    output_tokens: 10,
    output_per_second: 20,
    first_byte_seconds: 1,
    first_byte_p95_seconds: 1,
  };
  const busy = {
    ...bucket,
    requests: 3,
    errors: 1,
    output_tokens: 30,
    first_byte_seconds: 2,
    output_per_second: 40,
  };
  const idle = {
    ...bucket,
    requests: 0,
    output_tokens: 0,
    output_per_second: null,
    first_byte_seconds: null,
    first_byte_p95_seconds: null,
  };
  expect(totalsOf({ bucket_seconds: 60, buckets: [bucket, idle, busy], models: [] })).toEqual({
    requests: 4,
    errors: 1,
    outputTokens: 40,
    firstByteSeconds: 1.75,
    outputPerSecond: 35,
  });
});

it.each([
  [null, "–"],
  [0.0424, "42 ms"],
  [2.34, "2.3 s"],
  [135, "2 min 15 s"],
])("says %s seconds as %s", (seconds, words) => {
  expect(secondsWords(seconds)).toBe(words);
});
