import type { Action } from "../../lib/feature";
import { copyReport } from "./report";

export function listActions(): Action[] {
  return [{ label: "Copy system report", hint: "version engine devices", run: () => void copyReport() }];
}
