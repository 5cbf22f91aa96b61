import type { Model, System } from "../../lib/api";
import { isLaunchable } from "../../lib/status";

/** The models that could run here, each alone: sound, and not larger than all memory together. */
export function thatFit(models: Model[], devices: System["devices"]): Model[] {
  const limitMb = devices.reduce((sum, device) => sum + device.limit_mb, 0);
  return models.filter((model) => isLaunchable(model) && fits(model, limitMb));
}

function fits(model: Model, limitMb: number): boolean {
  const neededMb = model.measured_memory_mb ?? model.estimated_memory_mb;
  return limitMb === 0 || neededMb === null || neededMb <= limitMb;
}

/** What ENABLE ALL asks for: whatever fits, and the words for what does not. */
export function allThatFit(models: Model[], fitting: Model[]) {
  const left = models.length - fitting.length;
  const rest = left === 0 ? "" : `. ${left} left out: broken, missing or too large for this machine.`;
  return { enabled: true, models: fitting, rest };
}
