import { expect, it } from "vitest";
import { aModel } from "../../testing/wire";
import { found } from "./found";

const all = [
  aModel({ model_id: "a", display_name: "gemma 2 2B", aliases: ["coder"], held: true }),
  aModel({ model_id: "b", display_name: "Gemma 10 70B", tier: "powerful", status: "running" }),
  aModel({ model_id: "c", display_name: "zephyr", repo: "org/zephyr", missing: true }),
];

it.each([
  ["", 3],
  ["gemma", 2],
  ["GEMMA 70b", 1],
  ["running", 1],
  ["powerful", 1],
  ["org/zephyr", 1],
  ["q4_k_m", 3],
  ["gemma zephyr", 0],
  ["coder", 1],
  ["held", 1],
  ["missing", 1],
])("finds for %o %i models", (search, count) => expect(found(all, search)).toHaveLength(count));
