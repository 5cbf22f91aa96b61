import { expect, it } from "vitest";
import { aBrief } from "./testing";
import type { Brief } from "./wire";
import {
  fleetWords,
  mannerWords,
  nowWords,
  progressWords,
  stageWords,
  statusWords,
  titleOf,
  tookSeconds,
} from "./words";

type Now = NonNullable<Brief["now"]>;

const named = (model: string) => model.toUpperCase();
const at = (stage: Now["stage"], of: Partial<Now> = {}): Partial<Brief> => ({
  status: "running",
  now: { stage, model: null, prompt: null, repetition: null, ...of },
});

it.each<[Partial<Brief>, string, string]>([
  [{ status: "queued" }, "Waits for the runs before it", "waits its turn"],
  [at("preparing"), "Getting ready", "Getting ready"],
  [
    { ...at("preparing"), manner: "isolated" },
    "Stopping what runs, once its requests have ended",
    "Getting ready",
  ],
  [at("loading", { model: "a" }), "Loading A", "Loading models"],
  [at("warming_up", { model: "a" }), "Warming up A", "Warming up"],
  [at("measuring", { model: "a", prompt: "tea", repetition: 2 }), "A: tea, 2 of 3", "Measuring"],
  [at("measuring", { prompt: "tea", repetition: 1 }), "All models: tea, 1 of 3", "Measuring"],
  [at("judging", { model: "a" }), "A judges the answers", "Judging"],
  [at("restoring"), "Putting the fleet back as it was", "Putting the fleet back"],
  [{ status: "done" }, "", "done"],
])("of %o says %j, and aloud %j", (of, now, aloud) => {
  expect(nowWords(aBrief(of), named)).toBe(now);
  expect(stageWords(aBrief(of))).toBe(aloud);
});

it.each<[Partial<Brief>, string]>([
  [{}, "6 of 6"],
  [{ done_requests: 2, eta_seconds: 130 }, "2 of 6, about 2 min left"],
  [{ done_requests: 2, failed_requests: 1, eta_seconds: 5 }, "2 of 6, 1 failed, about 5 s left"],
])("of %o says that it is at %j", (of, words) => {
  expect(progressWords(aBrief(of))).toBe(words);
});

it.each<[Partial<Brief>, string]>([
  [{}, "together, in turn, 3 repetitions"],
  [{ turns: "at_once", repetitions: 1 }, "together, at once, 1 repetition"],
  [{ manner: "isolated", judge: "a" }, "in isolation, 3 repetitions, judged by A"],
])("says of %o that it was asked %j", (of, words) => {
  expect(mannerWords(aBrief(of), named)).toBe(words);
});

it.each<[Brief["status"], RegExp | null]>([
  ["queued", null],
  ["running", null],
  ["done", /put back as it was before; what did not/],
  ["failed", /put back as it was before; what did not/],
  ["cancelled", /unless it was STOP ALL/],
  ["interrupted", /when it came up again/],
])("says what became of the fleet once it is %s", (status, words) => {
  const said = fleetWords(aBrief({ status }));
  if (words === null) expect(said).toBeNull();
  else expect(said).toMatch(words);
});

it("says nothing of a fleet that it never touched", () => {
  expect(fleetWords(aBrief({ status: "cancelled", began_at: null }))).toBeNull();
});

it("names a run, how it stands and how long it took", () => {
  expect(titleOf(aBrief())).toBe("Benchmark 3");
  expect(titleOf(aBrief({ title: "A" }))).toBe("A");
  expect(statusWords(aBrief({ failed_requests: 2 }))).toBe("done, 2 failed");
  expect(tookSeconds(aBrief(), 0)).toBe(90);
  expect(tookSeconds(aBrief({ ended_at: null }), Date.parse("2026-01-01T00:00:10Z"))).toBe(10);
  expect(tookSeconds(aBrief({ began_at: null }), 0)).toBeNull();
});
