import { expect, it } from "vitest";
import { aModel } from "../../testing/wire";
import { thatFit } from "./fits";

const devices = [
  { name: "RAM", kind: "ram" as const, total_mb: 9000, limit_mb: 8000, reserved_mb: 7900, free_mb: 100 },
  { name: "GPU", kind: "gpu" as const, total_mb: 5000, limit_mb: 4000, reserved_mb: 3900, free_mb: 100 },
];

it("leaves out what is missing, broken or larger than the memory for servers", () => {
  const models = [
    aModel({ model_id: "fits", estimated_memory_mb: 12_000 }),
    aModel({ model_id: "large", estimated_memory_mb: 12_001 }),
    aModel({ model_id: "measured", estimated_memory_mb: 20_000, measured_memory_mb: 9000 }),
    aModel({ model_id: "unknown", estimated_memory_mb: null }),
    aModel({ model_id: "missing", missing: true }),
    aModel({ model_id: "broken", problem: "Shard 2 of 3 is missing" }),
  ];
  expect(thatFit(models, devices).map(({ model_id }) => model_id)).toEqual(["fits", "measured", "unknown"]);
});
