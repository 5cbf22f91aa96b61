import type { Model } from "../../lib/api";
import type { Note } from "./notes";

/** What can be done next about a failure, the first the likeliest. */
export type Remedy =
  | { does: "retry" }
  | { does: "force" }
  | { does: "smaller"; contextTokens: number }
  | { does: "port" }
  | { does: "settings" }
  | { does: "rescan" }
  | { does: "engine" }
  | { does: "log" };

export type Case =
  | "no room"
  | "ran out of memory"
  | "port"
  | "setting"
  | "file gone"
  | "file broken"
  | "engine"
  | "unsaved"
  | "not ready"
  | "ended";

const LEAST_CONTEXT = 2048;
const USUAL_CONTEXT = 32_768;

// By what the control plane says; the first that is true counts.
const CASES: [Case, RegExp][] = [
  ["no room", /^Not enough memory/],
  ["ran out of memory", /out of memory|because memory ran out/i],
  [
    "port",
    /^Port \d+ is pinned|^Port out of range|^Not a port|Port \d+ already in use|No free port|port was taken/m,
  ],
  ["setting", /does not know the argument|does not accept the value|^Unknown setting|Reserved setting/im],
  ["file gone", /^Model file not found|a file that it needs is not there/im],
  ["file broken", /cut short or corrupted|is not a GGUF/i],
  ["engine", /llama-server not found|does not know the architecture/],
  ["unsaved", /^Could not save/],
  ["not ready", /^Server manager not initialized|^Still looking/],
];

export function caseOf({ error, detail }: Note): Case {
  // The log's lines are left out: they may say anything.
  const said = `${error}\n${reasonOf(detail)}`;
  return CASES.find(([, pattern]) => pattern.test(said))?.[0] ?? "ended";
}

/** What to offer. A choice that was refused is mended, not started again. */
export function remediesFor(note: Note, model: Model): Remedy[] {
  const smaller = smallerContext(model);
  const shrink: Remedy[] = smaller === null ? [] : [{ does: "smaller", contextTokens: smaller }];
  switch (caseOf(note)) {
    case "no room":
      return [...shrink, { does: "force" }, { does: "retry" }];
    case "ran out of memory":
      return [...shrink, { does: "retry" }, { does: "log" }];
    case "port":
      return note.error.startsWith("Failed") ? [{ does: "port" }, { does: "retry" }] : [{ does: "port" }];
    case "setting":
      return [{ does: "settings" }, { does: "retry" }, { does: "log" }];
    case "file gone":
    case "file broken":
      return [{ does: "rescan" }, { does: "retry" }];
    case "engine":
      return [{ does: "engine" }, { does: "retry" }];
    case "unsaved":
      return [];
    case "not ready":
      return [{ does: "retry" }];
    case "ended":
      return [{ does: "retry" }, { does: "log" }];
  }
}

/** Half of the context that it has, in whole KiB; null where that would be too small to be of use. */
export function smallerContext({ settings, context_length }: Model): number | null {
  const now =
    typeof settings.ctx_size === "number" && settings.ctx_size > 0
      ? settings.ctx_size
      : Math.min(context_length ?? USUAL_CONTEXT, USUAL_CONTEXT);
  const half = Math.floor(now / 2 / 1024) * 1024;
  return half >= LEAST_CONTEXT ? half : null;
}

// How the control plane leads over from the reason to the log.
const LEADING_OVER = / ?Last log lines:$/;

/** The first line, which is the reason; what follows are the log's last lines. */
export function reasonOf(detail: string): string {
  return firstLine(detail).replace(LEADING_OVER, "");
}

export function logOf(detail: string): string {
  return detail.slice(firstLine(detail).length).trim();
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
