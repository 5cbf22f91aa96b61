import { countWords, durationWords } from "../../lib/format";
import type { Brief } from "./wire";

type Tone = "good" | "calm" | "bad";

const STATUSES: Record<Brief["status"], string> = {
  queued: "waits its turn",
  running: "running",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
  interrupted: "interrupted",
};

const TONES: Record<Brief["status"], Tone> = {
  queued: "calm",
  running: "calm",
  done: "good",
  failed: "bad",
  cancelled: "calm",
  interrupted: "bad",
};

export const toneOf = ({ status }: Brief): Tone => TONES[status];

/** How it stands; where some of its requests failed, that too. */
export function statusWords({ status, failed_requests }: Brief): string {
  const failed = failed_requests > 0 ? `, ${failed_requests} failed` : "";
  return `${STATUSES[status]}${failed}`;
}

export function titleOf({ id, title }: Pick<Brief, "id" | "title">): string {
  return title ?? `Benchmark ${id}`;
}

/** What a run does in this moment. nameOf: what a model is called. */
export function nowWords(run: Brief, nameOf: (model: string) => string): string {
  const { now, status, manner, repetitions } = run;
  if (status === "queued") return "Waits for the runs before it";
  if (now === null) return "";
  const model = now.model === null ? "All models" : nameOf(now.model);
  switch (now.stage) {
    case "preparing":
      return manner === "isolated" ? "Stopping what runs, once its requests have ended" : "Getting ready";
    case "loading":
      return `Loading ${model}`;
    case "warming_up":
      return `Warming up ${model}`;
    case "measuring":
      return `${model}: ${now.prompt}, ${now.repetition} of ${repetitions}`;
    case "judging":
      return `${model} judges the answers`;
    case "restoring":
      return "Putting the fleet back as it was";
  }
}

/** `12 of 54, 2 failed, about 3 min left`. */
export function progressWords({
  done_requests,
  total_requests,
  failed_requests,
  eta_seconds,
}: Brief): string {
  return [
    `${done_requests} of ${total_requests}`,
    failed_requests > 0 ? `${failed_requests} failed` : "",
    eta_seconds === null ? "" : `about ${durationWords(eta_seconds)} left`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** How it was asked: `in isolation, 3 repetitions, judged by X`. */
export function mannerWords(run: Brief, nameOf: (model: string) => string): string {
  const { manner, turns, repetitions, judge } = run;
  return [
    manner === "isolated" ? "in isolation" : turns === "at_once" ? "together, at once" : "together, in turn",
    countWords(repetitions, "repetition"),
    judge === null ? "" : `judged by ${nameOf(judge)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

const STAGES: Record<NonNullable<Brief["now"]>["stage"], string> = {
  preparing: "Getting ready",
  loading: "Loading models",
  warming_up: "Warming up",
  measuring: "Measuring",
  judging: "Judging",
  restoring: "Putting the fleet back",
};

/** What it does, roughly: for those who hear the page and cannot hear every request. */
export function stageWords({ now, status }: Brief): string {
  return now === null ? STATUSES[status] : STAGES[now.stage];
}

/** What has become of the fleet, once a run has ended. */
export function fleetWords({ status, began_at }: Brief): string | null {
  if (began_at === null || status === "queued" || status === "running") return null;
  switch (status) {
    case "interrupted":
      return "Where its servers went on without the control plane, what ran before was put back when it came up again.";
    case "cancelled":
      return "Afterwards the fleet was put back as it was before, unless it was STOP ALL that ended it; what did not come back is named below.";
    default:
      return "Afterwards the fleet was put back as it was before; what did not come back is named below.";
  }
}

/** How long it took, or has taken; null before it began. */
export function tookSeconds({ began_at, ended_at }: Brief, nowMs: number): number | null {
  if (began_at === null) return null;
  const end = ended_at === null ? nowMs : Date.parse(ended_at);
  return Math.max(0, (end - Date.parse(began_at)) / 1000);
}
