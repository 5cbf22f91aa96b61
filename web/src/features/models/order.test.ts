import { expect, it } from "vitest";
import { aModel, aServer } from "../../testing/wire";
import { found, memoryOf, type Order, ordered } from "./order";

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

const ids = (order: Order, servers = new Map()) =>
  ordered(all, order, servers).map((model) => model.model_id);

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

it.each([
  ["", 3],
  ["gemma", 2],
  ["GEMMA 70b", 1],
  ["running", 1],
  ["powerful", 1],
  ["org/zephyr", 1],
  ["q4_k_m", 3],
  ["gemma zephyr", 0],
])("finds for %o %i models", (search, count) => expect(found(all, search)).toHaveLength(count));
