import type { components } from "./api.gen";
import { stream } from "./http";

type Events = components["schemas"]["Events"];

/** One event of `/api/events`, by its name. */
export type LiveEvent = { [Name in keyof Events]: { event: Name; data: Events[Name] } }[keyof Events];

// The control plane sends at least a comment every 15 s.
const SILENCE_MS = 40_000;

/** One event of any stream, as it came. */
export interface Told {
  event: string;
  data: unknown;
}

/**
 * Hears every event until the connection or the signal ends.
 * Throws ApiError and Unreachable.
 */
export function listen(onEvent: (event: LiveEvent) => void, signal: AbortSignal): Promise<void> {
  return follow("/api/events", (told) => onEvent(told as LiveEvent), signal);
}

/** Hears a stream of events. Not EventSource, which cannot send the key. Throws ApiError and Unreachable. */
export async function follow(
  path: string,
  onEvent: (told: Told) => void,
  signal: AbortSignal,
): Promise<void> {
  const reader = (await stream(path, signal)).pipeThrough(new TextDecoderStream()).getReader();
  const leave = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", leave, { once: true });
  let silence = setTimeout(leave, SILENCE_MS);
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(leave, SILENCE_MS);
      text += value;
      // A snapshot of thousands of models comes in many pieces: it is looked through once, when it is whole.
      if (!value.includes("\n")) continue;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const told of blocks.map(toldIn)) if (told) onEvent(told);
    }
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", leave);
    leave();
  }
}

function toldIn(block: string): Told | null {
  const fields = new Map(
    block.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  const [event, data] = [fields.get("event"), fields.get("data")];
  return event && data ? { event, data: JSON.parse(data) } : null;
}
