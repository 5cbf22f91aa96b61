import { expect, it } from "vitest";
import { aModel } from "../../testing/wire";
import { steadied } from "./steady";
import { withKept } from "./use-rows";

const [a, b, c, d] = ["a", "b", "c", "d"].map((model_id) => aModel({ model_id })) as [
  ReturnType<typeof aModel>,
  ReturnType<typeof aModel>,
  ReturnType<typeof aModel>,
  ReturnType<typeof aModel>,
];
const ids = (models: { model_id: string }[]) => models.map(({ model_id }) => model_id).join("");

it("keeps the order that was, and what has ceased to pass", () => {
  expect(ids(steadied(["a", "b", "c"], [c, a], [a, b, c]))).toBe("abc");
});

it("puts newcomers last and leaves out what is gone", () => {
  expect(ids(steadied(["a", "b"], [d, a, c], [a, c, d]))).toBe("adc");
});

it("shows each model as it is now", () => {
  const now = aModel({ model_id: "a", status: "running" });
  expect(steadied(["a"], [], [now])).toEqual([now]);
});

it.each([
  [[3, 4, 5], [], [3, 4, 5]],
  [[3, 4, 5], [4], [3, 4, 5]],
  [
    [3, 4, 5],
    [9, 0],
    [0, 3, 4, 5, 9],
  ],
  [[3, 4, 5], [-1], [3, 4, 5]],
  [
    [3, 4],
    [7, 7],
    [3, 4, 7],
  ],
])("builds rows %o and keeps %o: %o", (near, kept, built) => expect(withKept(near, kept)).toEqual(built));
