import { expect, it } from "vitest";
import { askedAs, KINDS, type Kind, modeNamed, newPlan, type Plan, placeOf, problemOf } from "./kinds";
import { suggested } from "./members";

const kind = (wanted: string): Kind => KINDS.find(({ mode }) => mode === wanted) as Kind;

it.each([
  ["council", 0, "Member 1"],
  ["council", 4, "Member 5"],
  ["debate", 0, "PRO"],
  ["debate", 2, "Sums up"],
  ["two_stage", 1, "Refines"],
  ["benchmark", 9, "Model 10"],
])("the place of %s's model %i is %s", (mode, index, place) => {
  expect(placeOf(kind(mode), index)).toBe(place);
});

it("a mode's name among models is known, and no other is", () => {
  expect(KINDS.map(({ mode }) => modeNamed(askedAs(mode)))).toEqual(KINDS.map(({ mode }) => mode));
  expect(modeNamed("synapse/nothing")).toBeNull();
  expect(modeNamed("auto")).toBeNull();
});

const EMPTY = { name: "", manner: "" };
const WHOLE = { name: "Cat", manner: "You are a cat." };
it.each<[string, Partial<Plan>, boolean]>([
  ["nothing chosen", {}, false],
  ["a known pair", { options: { personas: "advocate_and_judge" } }, false],
  ["one side of one's own", { options: { personas: { pro: WHOLE, con: EMPTY } } }, true],
  ["both sides", { options: { personas: { pro: WHOLE, con: WHOLE } } }, false],
])("a debate with %s", (_, of, isProblem) => {
  expect(problemOf({ ...newPlan("debate"), ...of }) !== null).toBe(isProblem);
});

const target = (name: string, group: "Running" | "Started by a question") => ({
  name,
  label: name,
  group,
  note: "",
  sees: false,
});
const FEW = [target("a", "Running"), target("b", "Started by a question")];
it.each([
  ["council", FEW, ["a", "b", "a"]],
  ["two_stage", FEW, ["a", "b"]],
  ["debate", FEW, ["a", "b", "a"]],
  ["benchmark", FEW, ["a"]],
  ["benchmark", FEW.slice(1), ["b"]],
  ["council", [], []],
])("for %s the choice begins with those that run", (mode, names, expected) => {
  expect(suggested(kind(mode as string), names as typeof FEW)).toEqual(expected);
});
