import type { EngineOption, Model, Plan } from "../../lib/api";
import type { ModelDetails } from "./drawer/facts";
import type { Download, Offer } from "./fetch/wire";

export function anOption(of: Partial<EngineOption> = {}): EngineOption {
  return {
    name: "ctx_size",
    hint: "N",
    help: "size of the prompt context (default: 0, 0 = loaded from model)",
    kind: "number",
    choices: [],
    default: "0",
    is_deprecated: false,
    ...of,
  };
}

/** The plan of a context of so many tokens, each of which takes 0.01 MB. */
export function aPlan(of: Partial<Plan> = {}): Plan {
  const tokens = of.context_tokens ?? 8192;
  const kvMb = tokens / 100;
  return {
    fits: true,
    needed_mb: 4700 + kvMb,
    free_mb: 20_000,
    devices: [],
    evicts: [],
    context_tokens: tokens,
    slots: 1,
    request_tokens: tokens,
    settings: { ctx_size: tokens, parallel: 1 },
    is_measured: false,
    estimate: {
      weights_mb: 4700,
      parts_mb: 0,
      kv_cache_mb: kvMb,
      state_mb: 0,
      compute_mb: 0,
      process_mb: 0,
      prompt_cache_mb: 0,
    },
    notice: null,
    detail: null,
    ...of,
  };
}

export function detailsOf(model: Model, of: Partial<ModelDetails> = {}): ModelDetails {
  return {
    ...model,
    parameter_count: 7_615_616_512,
    files: [model.file_path],
    projector: null,
    draft: null,
    adapters: [],
    names: [],
    weights_mb: 4680,
    expert_weights_mb: 0,
    shape: {
      layers: 28,
      embedding_length: 3584,
      feed_forward_length: 18_944,
      heads: 28,
      kv_heads: 4,
      key_length: 128,
      value_length: 128,
      sliding_window: null,
      experts: null,
      experts_used: null,
      vocabulary_size: 152_064,
      is_recurrent: false,
    },
    ...of,
  };
}

export function anOffer(of: Partial<Offer> = {}): Offer {
  return {
    file: "Tiny-Q4_K_M.gguf",
    quantization: "Q4_K_M",
    files: [{ path: "Tiny-Q4_K_M.gguf", size_mb: 400 }],
    size_mb: 400,
    shards: 1,
    has_projector: false,
    estimated_memory_mb: 700,
    fits: true,
    fits_now: true,
    fits_gpu: null,
    fits_disk: true,
    is_recommended: true,
    is_here: false,
    download_id: null,
    ...of,
  };
}

export function aDownload(of: Partial<Download> = {}): Download {
  return {
    id: "d1",
    repo: "org/Tiny-GGUF",
    revision: "0123",
    quantization: "Q4_K_M",
    files: [{ path: "Tiny-Q4_K_M.gguf", size_mb: 400 }],
    folder: "/data/models/org/Tiny-GGUF",
    status: "downloading",
    total_mb: 400,
    done_mb: 100,
    progress: 0.25,
    mb_per_second: 20,
    eta_seconds: 15,
    error: null,
    added_at: "2026-01-01T00:00:00Z",
    ended_at: null,
    model_id: null,
    ...of,
  };
}
