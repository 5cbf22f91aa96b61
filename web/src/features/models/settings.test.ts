import { describe, expect, it } from "vitest";
import { settingText, settingValue } from "./settings";

describe("settings in a text field", () => {
  it.each([
    ["ctx_size", "16384", 16384],
    ["temp", "-0.5", -0.5],
    ["flash_attn", "on", "on"],
    ["mlock", "true", true],
    ["cache_type_k", "q8_0", "q8_0"],
    ["extra_args", "--verbose --seed 1", ["--verbose", "--seed", "1"]],
    ["env", "A=1 B=x=y", { A: "1", B: "x=y" }],
    ["devices", "cpu", "cpu"],
    ["devices", "CUDA0, CUDA1", ["CUDA0", "CUDA1"]],
  ])("%s of %s", (name, text, value) => expect(settingValue(name, text)).toEqual(value));

  it.each([
    [16384, "16384"],
    [false, "false"],
    [["--seed", "1"], "--seed 1"],
    [{ A: "1", B: "2" }, "A=1 B=2"],
  ])("%o as text", (value, text) => expect(settingText(value)).toBe(text));
});
