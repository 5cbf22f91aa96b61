import { expect, it } from "vitest";
import type { Device } from "../../lib/api";
import { aServer } from "../../testing/wire";
import { type Shares, sharesOf, shareWords } from "./shares";

const ram = (of: Partial<Device>): Device => ({
  name: "RAM",
  kind: "ram",
  total_mb: 32_000,
  limit_mb: 28_800,
  reserved_mb: 0,
  free_mb: 20_000,
  ...of,
});

it.each<[string, Device, number[], Shares]>([
  ["nothing runs", ram({}), [], { usedMb: 0, promisedMb: 0, otherMb: 12_000, freeMb: 20_000 }],
  [
    "one has not taken all of its own yet",
    ram({ reserved_mb: 6000, free_mb: 14_000 }),
    [2000, 1000],
    { usedMb: 3000, promisedMb: 3000, otherMb: 12_000, freeMb: 14_000 },
  ],
  [
    "one takes more than is known to be held",
    ram({ reserved_mb: 1000, free_mb: 19_000 }),
    [5000],
    { usedMb: 1000, promisedMb: 0, otherMb: 12_000, freeMb: 19_000 },
  ],
  [
    "of a GPU only what is held is known",
    ram({ name: "CUDA0", kind: "gpu", total_mb: 24_000, reserved_mb: 9000, free_mb: 14_000 }),
    [5000],
    { usedMb: 9000, promisedMb: 0, otherMb: 1000, freeMb: 14_000 },
  ],
  [
    "more is free than can be",
    ram({ total_mb: 1000, reserved_mb: 800, free_mb: 900 }),
    [800],
    { usedMb: 800, promisedMb: 0, otherMb: 0, freeMb: 200 },
  ],
  [
    "nothing is known",
    ram({ total_mb: 0, free_mb: 0 }),
    [],
    { usedMb: 0, promisedMb: 0, otherMb: 0, freeMb: 0 },
  ],
])("%s", (_, device, taken, shares) => {
  const servers = taken.map((memory_used_mb) => aServer({ memory_used_mb }));
  expect(sharesOf(device, servers)).toEqual(shares);
});

it("says it all in a sentence", () => {
  const device = ram({ reserved_mb: 6000, free_mb: 14_000 });
  expect(shareWords(device, sharesOf(device, [aServer({ memory_used_mb: 2000 })]))).toBe(
    "RAM, 32 GB: 2 GB used by servers, 4 GB more reserved for them, " + "12 GB not for servers, 14 GB free",
  );
});
