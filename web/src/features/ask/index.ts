import type { Feature } from "../../lib/feature";

export const ask: Feature = {
  path: "ask",
  label: "Ask",
  key: "a",
  load: () => import("./page"),
  actions: () => import("./palette"),
};
