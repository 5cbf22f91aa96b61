import type { Feature } from "../../lib/feature";

export const system: Feature = {
  path: "system",
  label: "System",
  key: "s",
  load: () => import("./page"),
  actions: () => import("./palette"),
};
