import type { Feature } from "../../lib/feature";

export const models: Feature = {
  path: "",
  label: "Models",
  key: "m",
  load: () => import("./page"),
  actions: () => import("./palette"),
};
