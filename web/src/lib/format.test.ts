import { describe, expect, it } from "vitest";
import { contextWords, durationWords, memoryWords, sizeWords } from "./format";

describe("words for numbers", () => {
  it.each([
    [null, "–"],
    [0.00008, "80 K"],
    [0.135, "135 M"],
    [0.6, "600 M"],
    [7, "7 B"],
    [7.62, "7.6 B"],
    [405.2, "405 B"],
  ])("size %s is %s", (billions, words) => expect(sizeWords(billions)).toBe(words));

  it.each([
    [null, "–"],
    [0, "0 MB"],
    [639.6, "640 MB"],
    [4200, "4.2 GB"],
    [12_000, "12 GB"],
    [671_400, "671 GB"],
  ])("memory %s is %s", (megabytes, words) => expect(memoryWords(megabytes)).toBe(words));

  it.each([
    [null, "–"],
    [512, "512"],
    [2048, "2k"],
    [32_768, "32k"],
    [1_048_576, "1M"],
    [200_000, "200k"],
    [1500, "1500"],
  ])("context %s is %s", (tokens, words) => expect(contextWords(tokens)).toBe(words));

  it.each([
    [0.4, "0 s"],
    [59.2, "59 s"],
    [61, "1 min"],
    [3600, "1 h"],
    [7500, "2 h 5 min"],
    [90_000, "1 d 1 h"],
  ])("%s seconds are %s", (seconds, words) => expect(durationWords(seconds)).toBe(words));
});
