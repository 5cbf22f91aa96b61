import { ApiError, apiErrorOf, Unreachable } from "../../lib/http";
import { apiKey, keyWanted } from "../../lib/key";
import type { Message, Sampling } from "./conversation";

export interface Question extends Sampling {
  model: string;
  messages: Message[];
}

/** What one event of the stream brings. */
export interface Piece {
  text?: string;
  thinking?: string;
  /** A comment: what the control plane says while nothing else comes. */
  news?: string;
  /** Ended by the limit of tokens. */
  cut?: boolean;
  tokens?: number;
  tokensPerSecond?: number;
}

interface Chunk {
  choices?: {
    delta?: { content?: string | null; reasoning_content?: string | null };
    finish_reason?: string | null;
  }[];
  usage?: { completion_tokens?: number } | null;
  timings?: { predicted_n?: number; predicted_per_second?: number };
  error?: { message?: string; code?: unknown } | string;
}

/**
 * Asks, and gives each piece of the answer as it comes; leaving the loop calls the request off. Throws
 * ApiError for refusals and for failures within the stream, Unreachable when nobody answers or the
 * connection breaks, AbortError.
 */
export async function* ask(question: Question, signal: AbortSignal): AsyncGenerator<Piece[]> {
  const reader = (await open(question, signal)).pipeThrough(new TextDecoderStream()).getReader();
  const blocks = new Blocks();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(brokenOff);
      if (done)
        throw new ApiError(502, "The answer broke off", "The connection ended before the answer did.");
      const events = blocks.take(value);
      const last = events.indexOf("[DONE]");
      const pieces = (last < 0 ? events : events.slice(0, last)).map(pieceOf);
      if (pieces.length > 0) yield pieces;
      if (last >= 0) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function open(question: Question, signal: AbortSignal): Promise<ReadableStream<BufferSource>> {
  const key = apiKey();
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: {
      Accept: "text/event-stream",
      "Content-Type": "application/json",
      ...(key ? { Authorization: `Bearer ${key}` } : {}),
    },
    body: JSON.stringify({ ...question, stream: true, stream_options: { include_usage: true } }),
    signal,
  }).catch(brokenOff);
  if (response.ok && response.body) return response.body as ReadableStream<BufferSource>;
  if (response.status === 401 && key === apiKey()) keyWanted.set(key ? "refused" : "absent");
  throw await apiErrorOf(response);
}

function brokenOff(failure: unknown): never {
  if (failure instanceof DOMException && failure.name === "AbortError") throw failure;
  throw new Unreachable();
}

/** Cuts a stream of events, in whatever pieces it comes, into their data and into comments (which keep their colon). */
export class Blocks {
  private rest = "";
  private data: string[] = [];

  take(text: string): string[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.takeLine(line.replace(/\r$/, "")));
  }

  private takeLine(line: string): string[] {
    if (line.startsWith(":")) return [line];
    if (line.startsWith("data:")) this.data.push(line.slice(line[5] === " " ? 6 : 5));
    if (line !== "" || this.data.length === 0) return [];
    const whole = this.data.join("\n");
    this.data = [];
    return [whole];
  }
}

/** Throws ApiError where the event says that the answer failed. */
export function pieceOf(event: string): Piece {
  if (event.startsWith(":")) return { news: event.slice(1).trim() };
  const { choices, usage, timings, error } = JSON.parse(event) as Chunk;
  if (error !== undefined) throw failureOf(error);
  const choice = choices?.[0];
  const tokens = timings?.predicted_n ?? usage?.completion_tokens;
  return {
    ...(choice?.delta?.content ? { text: choice.delta.content } : {}),
    ...(choice?.delta?.reasoning_content ? { thinking: choice.delta.reasoning_content } : {}),
    ...(choice?.finish_reason === "length" ? { cut: true } : {}),
    ...(tokens === undefined ? {} : { tokens }),
    ...(timings?.predicted_per_second === undefined ? {} : { tokensPerSecond: timings.predicted_per_second }),
  };
}

function failureOf(error: NonNullable<Chunk["error"]>): ApiError {
  if (typeof error === "string") return new ApiError(502, error, "");
  const status = typeof error.code === "number" ? error.code : 502;
  return new ApiError(status, error.message ?? "The answer failed", "");
}
