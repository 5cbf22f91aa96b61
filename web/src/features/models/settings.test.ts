import { expect, it } from "vitest";
import type { EngineOption } from "../../lib/api";
import {
  draftsAfter,
  needsRestart,
  refusedName,
  settingText,
  settingValue,
  shownText,
  typingProblem,
} from "./settings";

const option = (name: string, kind: EngineOption["kind"] = "text"): EngineOption => ({
  name,
  kind,
  hint: "",
  help: "",
  choices: [],
  default: null,
  is_deprecated: false,
});

it.each<[EngineOption, string, unknown]>([
  [option("ctx_size", "number"), "4096", 4096],
  [option("temp", "number"), " 0.8 ", 0.8],
  [option("ctx_size", "number"), "", null],
  [option("ctx_size", "number"), "much", "much"],
  [option("n_gpu_layers"), "99", 99],
  [option("n_gpu_layers"), "auto", "auto"],
  [option("mmap", "switch"), "false", false],
  [option("flash_attn", "choice"), "on", "on"],
  [option("cpu_strict", "choice"), "0", "0"],
  [option("extra_args"), "--jinja  --top-k 3", ["--jinja", "--top-k", "3"]],
  [option("extra_args"), `--prompt "two words" --a='b c'`, ["--prompt", "two words", "--a=b c"]],
  [option("env"), `A=b C="d e" F`, { A: "b", C: "d e", F: "" }],
  [option("devices"), "cpu", "cpu"],
  [option("devices"), "Vulkan0, Vulkan1", ["Vulkan0", "Vulkan1"]],
])("takes of %o the text %j as %j", (of, text, value) => {
  expect(settingValue(of, text)).toEqual(value);
});

it.each<[unknown, string]>([
  [undefined, ""],
  [null, ""],
  [true, "true"],
  [0, "0"],
  [["--jinja", "two words"], `--jinja "two words"`],
  [{ A: "b", C: "d e" }, `A=b "C=d e"`],
])("writes %j as %j", (value, text) => {
  expect(settingText(value)).toBe(text);
});

it("reads back what it wrote", () => {
  const env = { A: "b c", D: `say "no"`, E: "", F: `it's "both"` };
  expect(settingValue(option("env"), settingText(env))).toEqual(env);
});

it("says on for a choice that was saved as true", () => {
  expect(shownText(option("flash_attn", "choice"), true)).toBe("on");
  expect(shownText(option("mmap", "switch"), true)).toBe("true");
});

it("knows a number before anybody is asked", () => {
  expect(typingProblem(option("ctx_size", "number"), "12x")).toBe("It takes a number.");
  expect(typingProblem(option("ctx_size", "number"), "")).toBeNull();
  expect(typingProblem(option("n_gpu_layers"), "all")).toBeNull();
});

it("keeps as a draft only what differs from what is saved", () => {
  const typed = draftsAfter({}, "ctx_size", "8192", "4096");
  expect(typed).toEqual({ ctx_size: "8192" });
  expect(draftsAfter(typed, "ctx_size", "4096", "4096")).toEqual({});
  expect(draftsAfter(typed, "ctx_size", "", "4096")).toEqual({ ctx_size: "" });
});

it.each([
  ["Unknown setting: ctx_size", "x does not list --ctx-size in its --help.", "ctx_size"],
  ["Bad value for mmap", "It takes true or false.", "mmap"],
  ["Reserved setting: env.LLAMA_API_KEY", "", "env"],
  ["Unknown setting: extra_args --bogus", "", "extra_args"],
  ["Invalid request", "body.settings.replicas: Input should be less than 64", "replicas"],
  ["Unknown engine: x", "", "engine"],
  ["Could not save", "The disk is full.", null],
])("finds what %j is about", (error, detail, name) => {
  const names = ["ctx_size", "mmap", "env", "extra_args", "replicas", "engine"];
  expect(refusedName(error, detail, names)).toBe(name);
});

it("knows what a running server takes up by itself", () => {
  expect(needsRestart(["pinned", "variants"])).toBe(false);
  expect(needsRestart(["pinned", "ctx_size"])).toBe(true);
});
