import { expect, it } from "vitest";
import type { LiveEvent } from "../../lib/events";
import { byStretch, historyAfter, SPAN_MS } from "./memory-history";

function told(...servers: [model: string, replica: number, usedMb: number][]): LiveEvent {
  const loads = servers.map(([model_id, replica, memory_used_mb]) => ({
    model_id,
    replica,
    memory_used_mb,
    memory_private_mb: 0,
    active_requests: 0,
    uptime_seconds: 1,
  }));
  return { event: "memory", data: { devices: [], servers: loads } };
}

it("writes down what all servers of a model take together", () => {
  const once = historyAfter({}, told(["a", 1, 100], ["a", 2, 50], ["b", 1, 7]), 1000);
  const twice = historyAfter(once, told(["a", 1, 120]), 3000);
  expect(twice).toEqual({
    a: [
      { at: 1000, usedMb: 150 },
      { at: 3000, usedMb: 120 },
    ],
    b: [{ at: 1000, usedMb: 7 }],
  });
});

it("forgets what is too long ago, and models of which nothing is left", () => {
  const old = historyAfter({}, told(["a", 1, 100], ["b", 1, 7]), 0);
  expect(historyAfter(old, told(["a", 1, 120]), SPAN_MS)).toEqual({ a: [{ at: SPAN_MS, usedMb: 120 }] });
});

it("heeds no other event", () => {
  const history = { a: [] };
  expect(
    historyAfter(history, { event: "log", data: { model_id: "a", lines: [], is_new_start: false } }, 1),
  ).toBe(history);
});

it("has the most of each stretch, and a gap where nothing is known", () => {
  const samples = [
    { at: 0, usedMb: 5 },
    { at: 900, usedMb: 9 },
    { at: 2000, usedMb: 3 },
  ];
  expect(byStretch(samples, [0, 1000, 2000], 1000)).toEqual([9, null, 3]);
});
