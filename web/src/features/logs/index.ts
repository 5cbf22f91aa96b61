import type { Feature } from "../../lib/feature";

export const logs: Feature = {
  path: "logs",
  label: "Logs",
  key: "l",
  load: () => import("./page"),
  actions: () => import("./palette"),
};
