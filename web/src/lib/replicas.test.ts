import { expect, it } from "vitest";
import { aServer } from "../testing/wire";
import { fleetAfter } from "./live";
import { byModel } from "./replicas";
import { statusNote } from "./status";

const failure = { error: "Not enough memory", detail: "It needs more", at: "2026-01-01T00:00:00Z" };
const first = aServer({ memory_used_mb: 100, active_requests: 2 });
const second = aServer({ replica: 2, memory_used_mb: 50, active_requests: 1 });

it("shows a model's servers as one, spoken for by one that runs", () => {
  const failed = aServer({ status: "failed", memory_used_mb: 0, last_error: failure });
  const shown = byModel([failed, second, aServer({ model_id: "other" })]).get("qwen_7b_fast");
  expect(shown).toMatchObject({ status: "running", replica: 2, memory_used_mb: 50, running: 1 });
});

it("adds up what they take and do", () => {
  const shown = byModel([second, first]).get("qwen_7b_fast");
  expect(shown).toMatchObject({ replica: 1, memory_used_mb: 150, active_requests: 3, running: 2 });
  expect(statusNote("running", shown)).toBe("2 replicas, for 1 min, 3 busy");
});

it("leaves the model running when a further replica fails or stops", () => {
  const before = {
    registry: { models: [{ model_id: "qwen_7b_fast", status: "running" }] },
    list: { servers: [first, second], total_running: 1 },
  } as unknown as Parameters<typeof fleetAfter>[0];
  for (const status of ["failed", "stopped"] as const) {
    const after = fleetAfter(before, { event: "server", data: aServer({ replica: 2, status }) });
    expect(after.registry.models[0]?.status).toBe("running");
    expect(after.list.total_running).toBe(1);
  }
  const stopped = fleetAfter(
    { ...before, list: { servers: [first], total_running: 1 } },
    { event: "server", data: aServer({ status: "stopped" }) },
  );
  expect(stopped.registry.models[0]?.status).toBe("stopped");
  expect(stopped.list).toEqual({ servers: [], total_running: 0 });
});
