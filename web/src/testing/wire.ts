import type { Model, Plan, Registry, Server, System } from "../lib/api";

export function aModel(of: Partial<Model> = {}): Model {
  return {
    model_id: "qwen_7b_fast",
    display_name: "Qwen 7B (Q4_K_M)",
    family: "qwen",
    version: null,
    variant: null,
    architecture: "qwen2",
    size_b: 7.6,
    quantization: "Q4_K_M",
    tier: "fast",
    tier_is_override: false,
    kind: "chat",
    capabilities: [],
    context_length: 32_768,
    file_path: "/models/Qwen-7B-Q4_K_M.gguf",
    file_size_mb: 4700,
    shards: 1,
    repo: null,
    enabled: false,
    held: false,
    port: 8080,
    port_is_pinned: false,
    aliases: [],
    settings: {},
    settings_verified: true,
    estimated_memory_mb: 5600,
    measured_memory_mb: null,
    missing: false,
    problem: null,
    status: "stopped",
    last_error: null,
    restart_required: false,
    ...of,
  };
}

export function aServer(of: Partial<Server> = {}): Server {
  return {
    model_id: "qwen_7b_fast",
    replica: 1,
    display_name: "Qwen 7B (Q4_K_M)",
    tier: "fast",
    status: "running",
    port: 8080,
    pid: 4711,
    url: "http://127.0.0.1:8080",
    node: "local",
    uptime_seconds: 65,
    memory_used_mb: 5100,
    memory_private_mb: 600,
    progress: null,
    eta_seconds: null,
    active_requests: 0,
    restarts: 0,
    last_error: null,
    degraded: null,
    started_at: null,
    restart_required: false,
    ...of,
  };
}

export function aRegistry(models: Model[], of: Partial<Registry> = {}): Registry {
  return {
    models,
    scan_paths: ["/models"],
    last_scan: "2026-01-01T00:00:00Z",
    scan_seconds: 0.1,
    scanning: false,
    scan_progress: null,
    port_range: { start: 8080, end: 8099 },
    skipped: [],
    notices: [],
    ...of,
  };
}

export function aSystem(of: Partial<System> = {}): System {
  return {
    version: "0.1.0",
    engine: {
      found: true,
      path: "/usr/bin/llama-server",
      version: "b9000",
      problem: null,
      install: "brew install llama.cpp",
    },
    devices: [
      { name: "RAM", kind: "ram", total_mb: 32_000, limit_mb: 28_800, reserved_mb: 0, free_mb: 20_000 },
    ],
    uptime_seconds: 10,
    paths: { data_dir: "/data", registry: "/data/model_registry.json", logs: "/data/logs", scan_paths: [] },
    refresh_seconds: 30,
    port_range: { start: 8080, end: 8099 },
    api_key_required: false,
    ...of,
  };
}

export function aPlan(of: Partial<Plan> = {}): Plan {
  return {
    fits: true,
    needed_mb: 5600,
    free_mb: 20_000,
    devices: [
      {
        name: "RAM",
        kind: "ram",
        total_mb: 32_000,
        limit_mb: 28_800,
        reserved_mb: 0,
        free_mb: 20_000,
        needed_mb: 5600,
      },
    ],
    evicts: [],
    context_tokens: 32_768,
    slots: 4,
    request_tokens: 32_768,
    settings: {},
    is_measured: false,
    estimate: {
      weights_mb: 4700,
      parts_mb: 0,
      kv_cache_mb: 600,
      state_mb: 0,
      compute_mb: 284,
      process_mb: 16,
      prompt_cache_mb: 0,
    },
    notice: null,
    detail: null,
    ...of,
  };
}
