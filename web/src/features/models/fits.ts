import type { Model, System } from "../../lib/api";
import { isLaunchable } from "./status";

/** The models that could run here, each alone: sound, and not larger than all memory together. */
export function thatFit(models: Model[], devices: System["devices"]): string[] {
  const limitMb = devices.reduce((sum, device) => sum + device.limit_mb, 0);
  return models.filter((model) => isLaunchable(model) && fits(model, limitMb)).map((model) => model.model_id);
}

function fits(model: Model, limitMb: number): boolean {
  const neededMb = model.measured_memory_mb ?? model.estimated_memory_mb;
  return limitMb === 0 || neededMb === null || neededMb <= limitMb;
}
