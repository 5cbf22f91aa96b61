import type { Device, Server } from "../../lib/api";
import { memoryWords } from "../../lib/format";

/**
 * How a device's memory is divided, in MB. promised: reserved by servers that have not taken it yet. other: what
 * other programs hold, and what is kept from servers by the limit.
 */
export interface Shares {
  usedMb: number;
  promisedMb: number;
  otherMb: number;
  freeMb: number;
}

/** What servers take of RAM is measured; of a GPU only what they have reserved is known. */
export function sharesOf(device: Device, servers: readonly Server[]): Shares {
  const totalMb = Math.max(0, device.total_mb);
  const heldMb = within(device.reserved_mb, totalMb);
  const takenMb = servers.reduce((sum, { memory_used_mb }) => sum + memory_used_mb, 0);
  const usedMb = device.kind === "ram" ? Math.min(takenMb, heldMb) : heldMb;
  const freeMb = within(device.free_mb, totalMb - heldMb);
  return { usedMb, promisedMb: heldMb - usedMb, otherMb: totalMb - heldMb - freeMb, freeMb };
}

/** All of it in a sentence, for whoever cannot see the bar. */
export function shareWords(device: Device, { usedMb, promisedMb, otherMb, freeMb }: Shares): string {
  const parts = [
    `${memoryWords(usedMb)} used by servers`,
    promisedMb >= 1 && `${memoryWords(promisedMb)} more reserved for them`,
    `${memoryWords(otherMb)} not for servers`,
    `${memoryWords(freeMb)} free`,
  ];
  return `${deviceName(device)}, ${memoryWords(device.total_mb)}: ${parts.filter(Boolean).join(", ")}`;
}

export function deviceName({ kind, name }: Pick<Device, "kind" | "name">): string {
  return kind === "ram" ? "RAM" : name;
}

function within(size: number, most: number): number {
  return Math.min(Math.max(0, size), Math.max(0, most));
}
