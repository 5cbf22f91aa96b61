import { expect, it } from "vitest";
import { editorOf, givenBy, labelOf, typedValue, valueWords } from "./settings";
import { aSetting } from "./testing";

it.each([
  [{ type: "boolean" }, { kind: "switch" }],
  [{ anyOf: [{ type: "boolean" }, { type: "null" }] }, { kind: "switch" }],
  [{ type: "integer", minimum: 0 }, { kind: "number" }],
  [{ anyOf: [{ type: "null" }, { type: "number" }] }, { kind: "number" }],
  [
    { enum: ["a", "b"], type: "string" },
    { kind: "choice", choices: ["a", "b"] },
  ],
  [{ type: "string" }, { kind: "text" }],
])("edits %j as %j", (form, editor) => {
  expect(editorOf(aSetting({ form }))).toEqual(editor);
});

it.each([
  ["idle_stop_seconds", "Idle stop", "s"],
  ["memory_limit_mb", "Memory limit", "MB"],
  ["evict", "Evict", ""],
])("calls %s %s", (field, words, unit) => {
  expect(labelOf({ field })).toEqual({ words, unit });
});

it.each([
  [null, "none"],
  [true, "on"],
  [false, "off"],
  [0, "0"],
  [[], "none"],
  [["a", "b"], "a, b"],
  [{ fork: "/opt/fork" }, "fork=/opt/fork"],
  ["text", "text"],
])("says %j as %s", (value, words) => {
  expect(valueWords(value)).toBe(words);
});

it("reads what was typed", () => {
  const number = aSetting({ form: { type: "number" } });
  expect(typedValue(number, " 2,5 ")).toBe(2.5);
  expect(typedValue(number, "")).toBeNull();
  // The control plane says what is wrong with it.
  expect(typedValue(number, "soon")).toBe("soon");
  expect(typedValue(aSetting({ form: { type: "string" } }), "5")).toBe("5");
});

it("says what goes before an edit", () => {
  expect(givenBy(aSetting({ source: "environment" }))).toMatch(
    /^SYNAPSE_IDLE_STOP_SECONDS is given by the env/,
  );
  expect(givenBy(aSetting({ source: "saved" }))).toBeNull();
});
