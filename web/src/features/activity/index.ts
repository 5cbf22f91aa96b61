import type { Feature } from "../../lib/feature";

export const activity: Feature = {
  path: "activity",
  label: "Activity",
  key: "t",
  load: () => import("./page"),
  actions: () => import("./palette"),
};
