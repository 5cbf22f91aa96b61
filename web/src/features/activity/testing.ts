import type { EndedCall, LiveCall } from "./wire";

export function anEnded(of: Partial<EndedCall> = {}): EndedCall {
  return {
    id: 1,
    began_at: "2026-01-01T00:00:00Z",
    model_id: "qwen_7b_fast",
    asked: "qwen",
    variant: null,
    server_id: "qwen_7b_fast",
    dialect: "openai",
    path: "/v1/chat/completions",
    client: "127.0.0.1 curl",
    stream: false,
    outcome: "ok",
    status: 200,
    error: null,
    queue_seconds: 0,
    load_seconds: 0,
    first_byte_seconds: 0.1,
    total_seconds: 1.2,
    prompt_tokens: 12,
    cached_tokens: 0,
    output_tokens: 34,
    prompt_per_second: 300,
    output_per_second: 40,
    bytes_in: 100,
    bytes_out: 1000,
    ...of,
  };
}

export function aLive(of: Partial<LiveCall> = {}): LiveCall {
  return {
    id: 2,
    began_at: "2026-01-01T00:00:00Z",
    model_id: "qwen_7b_fast",
    asked: "qwen",
    variant: null,
    server_id: "qwen_7b_fast",
    dialect: "openai",
    path: "/v1/chat/completions",
    client: "127.0.0.1 curl",
    stream: true,
    stage: "answering",
    seconds: 3.2,
    load_seconds: 0,
    first_byte_seconds: 0.4,
    bytes_out: 100,
    ...of,
  };
}
