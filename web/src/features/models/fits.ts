import type { Model, System } from "../../lib/api";
import { isLaunchable } from "./status";

/** The models that could run here, each alone: sound, and not larger than all memory together. */
export function thatFit(models: Model[], devices: System["devices"]): string[] {
  const totalMb = devices.reduce((sum, device) => sum + device.total_mb, 0);
  return models.filter((model) => isLaunchable(model) && fits(model, totalMb)).map((model) => model.model_id);
}

function fits(model: Model, totalMb: number): boolean {
  const neededMb = model.measured_memory_mb ?? model.estimated_memory_mb;
  return totalMb === 0 || neededMb === null || neededMb <= totalMb;
}
