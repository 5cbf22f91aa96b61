import { useEffect, useReducer } from "react";
import { follow } from "../../lib/events";
import { ApiError } from "../../lib/http";
import { apiKey } from "../../lib/key";

/** A line with a number that stays its own. */
export interface Line {
  id: number;
  text: string;
  /** Whose it is, where several logs are told as one. */
  who: string;
}

/** What is shown of a log, and what came while it was paused. */
export interface Tail {
  lines: Line[];
  held: Line[];
  isPaused: boolean;
  state: "opening" | "following" | "away";
  problem: Error | null;
  nextId: number;
}

export type TailEvent =
  | { kind: "opening" }
  | { kind: "opened" }
  | { kind: "lines"; lines: string[]; isNewStart: boolean; who?: string }
  | { kind: "broken"; problem: Error | null }
  | { kind: "pause"; isPaused: boolean };

export const MOST_LINES = 5000;
export const NEW_START = "──── a new start ────";
const AGAIN_MS = 1000;

export const NOTHING: Tail = {
  lines: [],
  held: [],
  isPaused: false,
  state: "opening",
  problem: null,
  nextId: 1,
};

/** The tail after something has happened. */
export function tailAfter(tail: Tail, event: TailEvent): Tail {
  switch (event.kind) {
    case "opening":
      return { ...NOTHING, isPaused: tail.isPaused, nextId: tail.nextId };
    // Told again from its beginning: what was shown before would be there twice.
    case "opened":
      return { ...tail, lines: [], held: [], state: "following", problem: null };
    case "lines":
      return withLines(tail, event.isNewStart ? [NEW_START, ...event.lines] : event.lines, event.who ?? "");
    case "broken":
      return { ...tail, state: "away", problem: event.problem };
    case "pause": {
      if (event.isPaused) return { ...tail, isPaused: true };
      return { ...tail, isPaused: false, lines: newest([...tail.lines, ...tail.held]), held: [] };
    }
  }
}

function withLines(tail: Tail, texts: string[], who: string): Tail {
  const fresh = texts.map((text, index) => ({ id: tail.nextId + index, text, who }));
  const nextId = tail.nextId + fresh.length;
  // The first lines are the log as it is when one comes: a pause holds only what is new.
  if (tail.isPaused && tail.lines.length > 0)
    return { ...tail, nextId, held: newest([...tail.held, ...fresh]) };
  return { ...tail, nextId, lines: newest([...tail.lines, ...fresh]) };
}

function newest(lines: Line[]): Line[] {
  return lines.length > MOST_LINES ? lines.slice(-MOST_LINES) : lines;
}

/** Follows a log for as long as the component is there, and again after it has broken off. */
export function useTail(path: string) {
  const [tail, tell] = useReducer(tailAfter, NOTHING);
  useEffect(() => {
    const leaving = new AbortController();
    tell({ kind: "opening" });
    void stay(path, tell, leaving.signal);
    return () => leaving.abort();
  }, [path]);
  return { tail, pause: (isPaused: boolean) => tell({ kind: "pause", isPaused }) };
}

async function stay(path: string, tell: (event: TailEvent) => void, leaving: AbortSignal): Promise<void> {
  while (!leaving.aborted) {
    const key = apiKey();
    const problem = await untilBroken(path, tell, leaving);
    if (leaving.aborted) return;
    tell({ kind: "broken", problem });
    do await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    while (isFinal(problem) && apiKey() === key && !leaving.aborted);
  }
}

/** A refusal stays one until there is another key: asking again each second would change nothing. */
function isFinal(problem: Error | null): boolean {
  return problem instanceof ApiError && problem.status < 500;
}

interface Chunk {
  lines: string[];
  is_new_start?: boolean;
  model_id?: string | null;
  /** Told only where several logs are told as one. */
  replica?: number;
}

function whose({ model_id, replica }: Chunk): string {
  if (replica === undefined) return "";
  if (model_id == null) return "control plane";
  return replica > 1 ? `${model_id}, replica ${replica}` : model_id;
}

async function untilBroken(
  path: string,
  tell: (event: TailEvent) => void,
  leaving: AbortSignal,
): Promise<Error | null> {
  let isOpen = false;
  try {
    await follow(
      path,
      ({ event, data }) => {
        if (event !== "log" || leaving.aborted) return;
        if (!isOpen) tell({ kind: "opened" });
        isOpen = true;
        const chunk = data as Chunk;
        tell({
          kind: "lines",
          lines: chunk.lines,
          isNewStart: chunk.is_new_start ?? false,
          who: whose(chunk),
        });
      },
      leaving,
    );
    return null;
  } catch (failure) {
    return failure instanceof Error ? failure : new Error(String(failure));
  }
}
