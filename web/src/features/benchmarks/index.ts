import type { Feature } from "../../lib/feature";

export const benchmarks: Feature = {
  path: "benchmarks",
  label: "Benchmarks",
  key: "b",
  load: () => import("./page"),
  actions: () => import("./palette"),
};
