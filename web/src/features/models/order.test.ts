import { expect, it } from "vitest";
import { aModel, aServer } from "../../testing/wire";
import { contextOf, memoryOf, type Order, ordered } from "./order";

const small = aModel({
  model_id: "a",
  display_name: "gemma 2 2B",
  size_b: 2,
  tier: "fast",
  estimated_memory_mb: 1600,
});
const large = aModel({
  model_id: "b",
  display_name: "Gemma 10 70B",
  size_b: 70,
  tier: "powerful",
  status: "running",
});
const unknown = aModel({
  model_id: "c",
  display_name: "zephyr",
  size_b: null,
  tier: "balanced",
  repo: "org/zephyr",
});
const all = [unknown, large, small];

const ids = (order: Order, servers = new Map(), speeds = new Map()) =>
  ordered(all, order, { servers, speeds }).map((model) => model.model_id);

it("sorts names as people count", () => {
  expect(ids({ by: "name", descending: false })).toEqual(["a", "b", "c"]);
});

it("sorts numbers as numbers, and what is unknown last either way", () => {
  expect(ids({ by: "size", descending: false })).toEqual(["a", "b", "c"]);
  expect(ids({ by: "size", descending: true })).toEqual(["b", "a", "c"]);
});

it("sorts tiers by strength, not by letter", () => {
  expect(ids({ by: "tier", descending: false })).toEqual(["a", "c", "b"]);
});

it("puts running servers first", () => {
  expect(ids({ by: "status", descending: false })[0]).toBe("b");
});

it("takes what a server uses before what it should use", () => {
  const servers = new Map([["b", aServer({ model_id: "b", memory_used_mb: 900 })]]);
  expect(memoryOf(large, servers.get("b"))).toBe(900);
  expect(ids({ by: "memory", descending: false }, servers)[0]).toBe("b");
});

it("does not change what it is given", () => {
  ids({ by: "name", descending: true });
  expect(all.map((model) => model.model_id)).toEqual(["c", "b", "a"]);
});

it("sorts by speed, the unmeasured last", () => {
  const speeds = new Map([
    ["a", 12],
    ["c", 40],
  ]);
  expect(ids({ by: "speed", descending: true }, new Map(), speeds)).toEqual(["c", "a", "b"]);
});

it("takes the context that was set before the trained one", () => {
  expect(contextOf(aModel({ context_length: 32_768 }))).toBe(32_768);
  expect(contextOf(aModel({ context_length: 32_768, settings: { ctx_size: 4096 } }))).toBe(4096);
});
