import { afterEach, expect, it } from "vitest";
import { closeDetails, detailsIn, openDetails } from "./details";
import { closeFetch, openFetch } from "./fetch/opened";

afterEach(() => {
  location.hash = "";
});

const opened = () => detailsIn(new URLSearchParams(location.hash.split("?")[1]));

it("keeps in the address what is open, and leaves the rest of it alone", () => {
  location.hash = "#/?q=qwen";
  openDetails("hf:a/b", "settings");
  expect(opened()).toEqual({ modelId: "hf:a/b", tab: "settings" });
  expect(location.hash).toContain("q=qwen");
  closeDetails();
  expect(location.hash).toBe("#/?q=qwen");
});

it("goes back over a model, and not over each of its tabs", () => {
  const before = history.length;
  openDetails("a");
  openDetails("a", "log");
  openDetails("a", "use");
  expect(history.length - before).toBe(1);
  expect(opened()).toEqual({ modelId: "a", tab: "use" });
});

it("takes a tab that there is not for the first", () => {
  expect(detailsIn(new URLSearchParams("model=a&tab=nothing"))).toEqual({ modelId: "a", tab: "overview" });
  expect(detailsIn(new URLSearchParams("tab=log"))).toBeNull();
});

it("has one drawer open at a time", () => {
  openDetails("a", "log");
  openFetch("org/repo");
  expect(opened()).toBeNull();
  openDetails("a");
  expect(location.hash).toBe("#/?model=a");
  openFetch();
  closeFetch();
  expect(location.hash).toBe("#/");
});
