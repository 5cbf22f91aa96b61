import type { Setting, Upstream } from "./wire";

export function aSetting(of: Partial<Setting> = {}): Setting {
  return {
    field: "idle_stop_seconds",
    name: "SYNAPSE_IDLE_STOP_SECONDS",
    value: 1800,
    default: 1800,
    saved: null,
    source: "default",
    description: "Stop servers that a request started after so long without one; 0 is never.",
    can_change: true,
    is_secret: false,
    form: { type: "number", minimum: 0 },
    ...of,
  };
}

export function anUpstream(of: Partial<Upstream> = {}): Upstream {
  return {
    name: "box",
    url: "http://10.0.0.5:8000/v1",
    has_key: false,
    key_header: "authorization",
    model: null,
    reachable: true,
    models: ["large", "small"],
    problem: null,
    checked_at: "2026-01-01T00:00:00Z",
    ...of,
  };
}
