import { expect, it } from "vitest";
import { aModel } from "../../testing/wire";
import { allToggled, isAll, NOTHING, ranged, toggled, weightOf } from "./selection";

const SHOWN = ["a", "b", "c", "d", "e"];
const ids = ({ ids: marked }: { ids: ReadonlySet<string> }) => [...marked].sort().join("");

it("marks one, and takes the mark away", () => {
  const one = toggled(NOTHING, "b");
  expect(ids(one)).toBe("b");
  expect(ids(toggled(one, "b"))).toBe("");
});

it.each([
  ["down", "b", "d", "bcd"],
  ["up", "d", "b", "bcd"],
  ["itself", "c", "c", "c"],
])("marks a range %s, from the last one that was touched", (_, from, to, marked) => {
  expect(ids(ranged(toggled(NOTHING, from), to, SHOWN))).toBe(marked);
});

it("marks just one where the range's beginning is not shown any more", () => {
  expect(ids(ranged({ ids: new Set(["x"]), anchor: "x" }, "c", SHOWN))).toBe("cx");
});

it("begins a range where nothing was touched yet", () => {
  expect(ids(ranged(NOTHING, "c", SHOWN))).toBe("c");
});

it("marks all that are shown, keeps what is not, and takes all back", () => {
  const all = allToggled({ ids: new Set(["x", "a"]), anchor: null }, SHOWN);
  expect(ids(all)).toBe("abcdex");
  expect(isAll(all.ids, SHOWN)).toBe(true);
  expect(ids(allToggled(all, SHOWN))).toBe("x");
  expect(isAll(new Set(), [])).toBe(false);
});

it("weighs what does not run, and says what has no figure", () => {
  const models = [
    aModel({ estimated_memory_mb: 5000 }),
    aModel({ estimated_memory_mb: 5000, measured_memory_mb: 3000, status: "failed" }),
    aModel({ estimated_memory_mb: 9000, status: "running" }),
    aModel({ estimated_memory_mb: null }),
  ];
  expect(weightOf(models)).toEqual({ memoryMb: 8000, unknown: 1 });
});
