import { expect, it } from "vitest";
import type { Plan } from "../../lib/api";
import { aPlan } from "../../testing/wire";
import { nameIn, planWords, shortMb } from "./plan-words";

const nameOf = nameIn(
  new Map([
    ["a", "Alpha 7B"],
    ["b", "Beta 3B"],
  ]),
);

it.each<[string, Partial<Plan>, string, string]>([
  ["it fits", {}, "fits", "X takes 5.6 GB (estimated) and leaves 14.4 GB free."],
  ["measured", { is_measured: true }, "fits", "X takes 5.6 GB and leaves 14.4 GB free."],
  [
    "not all of it on the GPU",
    { notice: "3 of 32 layers on the CPU." },
    "fits",
    "X takes 5.6 GB (estimated) and leaves 14.4 GB free. 3 of 32 layers on the CPU.",
  ],
  ["one stops", { evicts: ["a"] }, "stops", "X takes 5.6 GB (estimated). Alpha 7B would stop for it."],
  [
    "several stop",
    { evicts: ["a", "b#2", "gone"] },
    "stops",
    "X takes 5.6 GB (estimated). Alpha 7B, replica 2 of Beta 3B and gone would stop for it.",
  ],
  [
    "others would have to stop",
    { fits: false, needed_mb: 30_000, detail: "To free enough, a, b would have to stop. force=true starts" },
    "short",
    "X does not fit: it takes 30 GB (estimated), 10 GB more than is free. " +
      "To free enough, Alpha 7B and Beta 3B would have to stop.",
  ],
  [
    "it could never fit",
    { fits: false, needed_mb: 90_000, detail: "All servers together may have 28800 MB of RAM." },
    "short",
    "X does not fit: it takes 90 GB (estimated), 70 GB more than is free. " +
      "That is more than all servers together may have.",
  ],
  [
    "others hold it",
    { fits: false, needed_mb: 21_000, detail: "Other programs hold the rest." },
    "short",
    "X does not fit: it takes 21 GB (estimated), 1 GB more than is free. Other programs hold the rest.",
  ],
])("%s", (_, of, tone, text) => {
  const plan = aPlan(of);
  expect(planWords("X", { ...plan, devices: devicesOf(plan) }, nameOf)).toEqual({ tone, text });
});

it("adds up what is missing on each device, and no more", () => {
  const [device] = aPlan().devices;
  if (!device) throw new Error("a plan has devices");
  const devices = [
    { ...device, needed_mb: 5000, free_mb: 9000 },
    { ...device, needed_mb: 9000, free_mb: 5000 },
    { ...device, needed_mb: 3000, free_mb: 1000 },
  ];
  expect(shortMb(aPlan({ devices }))).toBe(6000);
});

function devicesOf({ devices, needed_mb }: Plan): Plan["devices"] {
  return devices.map((device) => ({ ...device, needed_mb }));
}
