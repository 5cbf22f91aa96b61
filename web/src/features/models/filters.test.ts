import { describe, expect, it } from "vitest";
import { aModel } from "../../testing/wire";
import { counted, type Filters, NO_FILTERS, passing, turned } from "./filters";

const models = [
  aModel({ model_id: "a", tier: "fast", enabled: true, status: "running" }),
  aModel({ model_id: "b", tier: "fast", kind: "embedding", enabled: true, held: true }),
  aModel({ model_id: "c", tier: "balanced", missing: true }),
  aModel({ model_id: "d", tier: "powerful", problem: "Shard 2 of 3 is missing" }),
];

const only = (filters: Partial<Filters>): Filters => ({ ...NO_FILTERS, ...filters });

it.each<[Partial<Filters>, string]>([
  [{}, "abcd"],
  [{ tier: ["fast"] }, "ab"],
  [{ tier: ["fast", "powerful"] }, "abd"],
  [{ tier: ["fast"], kind: ["chat"] }, "a"],
  [{ status: ["running", "failed"] }, "a"],
  [{ only: ["enabled"] }, "ab"],
  [{ only: ["enabled", "held"] }, "b"],
  [{ only: ["missing"] }, "c"],
  [{ only: ["problem"] }, "d"],
  [{ only: ["missing", "problem"] }, ""],
])("%o lets through %s", (filters, ids) => {
  expect(
    passing(models, only(filters))
      .map(({ model_id }) => model_id)
      .join(""),
  ).toBe(ids);
});

describe("counts", () => {
  it("tell what each value would leave", () => {
    const { tier, kind, only: flags } = counted(models, NO_FILTERS);
    expect([...tier]).toEqual([
      ["fast", 2],
      ["balanced", 1],
      ["powerful", 1],
    ]);
    expect(kind.get("embedding")).toBe(1);
    expect(flags.get("enabled")).toBe(2);
    expect(flags.get("held")).toBe(1);
  });

  it("do not lose a field's other values when one of them is wanted", () => {
    const counts = counted(models, only({ tier: ["fast"] }));
    expect(counts.tier.get("balanced")).toBe(1);
    expect(counts.kind.get("chat")).toBe(1);
  });

  it("of flags are of models that have all that are wanted", () => {
    const { only: flags } = counted(models, only({ only: ["enabled"] }));
    expect(flags.get("enabled")).toBe(2);
    expect(flags.get("held")).toBe(1);
    expect(flags.get("missing")).toBeUndefined();
  });
});

it("puts a value in and takes it out, always in the same order", () => {
  const both = turned(turned(NO_FILTERS, "tier", "powerful"), "tier", "fast");
  expect(both.tier).toEqual(["fast", "powerful"]);
  expect(turned(both, "tier", "powerful").tier).toEqual(["fast"]);
  expect(turned(NO_FILTERS, "tier", "nonsense").tier).toEqual([]);
});
