import type { LiveCall, Outcome } from "./wire";

export const OUTCOMES: Record<Outcome, string> = {
  ok: "answered",
  error: "failed",
  refused: "refused",
  client_left: "client left",
  server_lost: "server lost",
  cancelled: "cancelled",
};

/** How bad an end is: what the server or the control plane did not do, is. */
export const OUTCOME_TONES: Record<Outcome, "good" | "calm" | "bad"> = {
  ok: "good",
  error: "bad",
  refused: "bad",
  client_left: "calm",
  server_lost: "bad",
  cancelled: "calm",
};

export const STAGES: Record<LiveCall["stage"], string> = {
  queued: "in line",
  loading: "model loads",
  sent: "at the server",
  answering: "answering",
};

export const DIALECTS = ["openai", "anthropic", "ollama", "llama-server", "synapse"];
