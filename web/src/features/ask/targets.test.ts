import { expect, it } from "vitest";
import { aModel } from "../../testing/wire";
import { atHand, targetsOf } from "./targets";

const models = [
  aModel({ model_id: "stopped", display_name: "Stopped", enabled: true }),
  aModel({ model_id: "disabled", display_name: "Disabled" }),
  aModel({ model_id: "held", display_name: "Held", enabled: true, held: true }),
  aModel({ model_id: "gone", display_name: "Gone", enabled: true, missing: true }),
  aModel({ model_id: "vectors", display_name: "Vectors", enabled: true, kind: "embedding" }),
  aModel({
    model_id: "large",
    display_name: "Large",
    tier: "powerful",
    status: "running",
    capabilities: ["vision"],
    settings: { variants: [{ name: "poet" }] },
  }),
];

it("lists tiers that have somebody, then who runs, then whom a question starts", () => {
  expect(targetsOf(models).map(({ name, group }) => [group, name])).toEqual([
    ["Whichever is best", "auto"],
    ["Whichever is best", "fast"],
    ["Whichever is best", "powerful"],
    ["Running", "large"],
    ["Running", "large:poet"],
    ["Started by a question", "stopped"],
  ]);
});

it("says what a question to them does", () => {
  const notes = Object.fromEntries(targetsOf(models).map(({ name, note }) => [name, note]));
  expect(notes.stopped).toBe("Stopped. Your question starts it.");
  expect(notes.fast).toBe("No fast model runs. Your question starts one.");
  expect(notes.large).toBe("Running.");
});

it("knows who sees pictures", () => {
  const seeing = targetsOf(models).filter(({ sees }) => sees);
  expect(seeing.map(({ name }) => name)).toEqual(["auto", "powerful", "large", "large:poet"]);
});

it("turns to whom was asked before, else to one that runs", () => {
  expect(atHand(targetsOf(models), "stopped")).toBe("stopped");
  expect(atHand(targetsOf(models), "unknown")).toBe("large");
  expect(atHand([], undefined)).toBeUndefined();
});
