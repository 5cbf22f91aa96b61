import { expect, it } from "vitest";
import type { Model, StartedAll } from "../../lib/api";
import { aModel, aServer } from "../../testing/wire";
import { answered, begun, countsOf, fatesOf, type Run, refused } from "./fates";

const AT = "2026-01-01T00:00:00Z";
const LATER = "2026-01-01T00:01:00Z";
const oldError = { error: "Failed to start server", detail: "From yesterday", at: AT };
const model = (of: Partial<Model>) => aModel({ model_id: "a", ...of });
const answer = (of: Partial<StartedAll>): StartedAll => ({
  message: "Started 0/1 servers",
  started: 0,
  total: 1,
  startup_time_seconds: 1,
  models: [],
  failed: [],
  ...of,
});
const failed = {
  model_id: "a",
  display_name: "A",
  error: "Not enough memory",
  detail: "It needs 9 GB\nmore",
};

it.each<[string, Partial<Model>, string, string]>([
  ["nothing was told yet", {}, "asked", "asked for"],
  ["it failed before", { last_error: oldError, status: "failed" }, "asked", "asked for"],
  ["it waits", { status: "queued" }, "queued", "waits its turn"],
  ["it loads", { status: "starting" }, "starting", "loading, 42 %, 7 s left"],
  ["it runs", { status: "running", port: 8081 }, "running", "running on port 8081"],
  [
    "it failed now",
    { status: "failed", last_error: { ...oldError, detail: "Bad flag\nlog", at: LATER } },
    "failed",
    "Bad flag",
  ],
])("while it goes on and %s", (_, of, phase, words) => {
  const now = begun(null, [model({ last_error: of.last_error?.at === AT ? of.last_error : null })]);
  const servers = new Map([["a", aServer({ status: "starting", progress: 0.42, eta_seconds: 7 })]]);
  expect(fatesOf(now, [model(of)], servers)).toMatchObject([{ phase, words }]);
});

it("tells the reasons of the answer, until it runs after all", () => {
  const now = answered(begun(null, [model({})]), answer({ failed: [failed] })) as Run;
  expect(fatesOf(now, [model({})], new Map())).toMatchObject([
    { phase: "failed", words: "Not enough memory: It needs 9 GB" },
  ]);
  expect(fatesOf(now, [model({ status: "running" })], new Map())).toMatchObject([{ phase: "running" }]);
});

it("says of one that ran and stopped since that it did", () => {
  const now = answered(begun(null, [model({})]), answer({ started: 1 })) as Run;
  expect(fatesOf(now, [model({})], new Map())).toMatchObject([{ phase: "stopped", words: "stopped since" }]);
});

it("takes in what is asked for while it goes on, and begins anew after that", () => {
  const [a, b] = [model({}), model({ model_id: "b" })];
  const both = begun(begun(null, [a]), [b]);
  expect([both.asks, both.ids]).toEqual([2, ["a", "b"]]);
  const first = answered(both, answer({ message: "Started 1/1 servers" }));
  const over = refused(first, "Unreachable") as Run;
  expect([over.asks, over.summaries]).toEqual([0, ["Started 1/1 servers", "Unreachable"]]);
  expect(begun(over, [b])).toMatchObject({ asks: 1, ids: ["b"], summaries: [] });
});

it("learns from the answer of models that it did not know of", () => {
  const now = answered(begun(null, []), answer({ failed: [failed] })) as Run;
  expect(now.ids).toEqual(["a"]);
});

it("puts what went wrong first, and counts", () => {
  const models = [
    model({ model_id: "a", status: "running" }),
    model({ model_id: "b", status: "starting" }),
    model({ model_id: "c", status: "failed", last_error: oldError }),
    model({ model_id: "other", status: "running" }),
  ];
  const now = begun(null, [model({}), model({ model_id: "b" }), model({ model_id: "c" })]);
  const fates = fatesOf(now, models, new Map());
  expect(fates.map(({ model: { model_id } }) => model_id)).toEqual(["c", "b", "a"]);
  expect([...countsOf(fates)]).toEqual([
    ["failed", 1],
    ["starting", 1],
    ["running", 1],
  ]);
});
