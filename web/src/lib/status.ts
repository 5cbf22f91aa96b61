import type { Model, Server, Status } from "./api";
import { durationWords, percentWords } from "./format";
import type { Together } from "./replicas";

export type Light = "green" | "grey" | "amber" | "red";

const LIGHTS: Record<Status, Light> = {
  running: "green",
  stopped: "grey",
  queued: "amber",
  starting: "amber",
  stopping: "amber",
  backoff: "amber",
  failed: "red",
};

export const lightOf = (status: Status): Light => LIGHTS[status];

/** On its way to another state, so that the next look should come soon. */
export function isMoving(status: Status): boolean {
  return status === "queued" || status === "starting" || status === "stopping" || status === "backoff";
}

/** A model whose file is there and sound. */
export function isLaunchable(model: Model): boolean {
  return !model.missing && model.problem === null;
}

export function canStart(model: Model): boolean {
  return isLaunchable(model) && ["stopped", "failed", "backoff"].includes(model.status);
}

export function canStop(model: Model): boolean {
  return ["queued", "starting", "running", "backoff"].includes(model.status);
}

/** The small line under the status: how long it has run, how far it has loaded. */
export function statusNote(status: Status, server: Together | undefined): string {
  if (server === undefined || server.status !== status) return status === "queued" ? "waiting its turn" : "";
  if (status === "running") return runningNote(server);
  if (status === "starting") return startingNote(server);
  if (status === "backoff") return "restarts shortly";
  return status === "queued" ? "waiting its turn" : "";
}

function runningNote(server: Together): string {
  const several = (server.running ?? 1) > 1 ? `${server.running} replicas, ` : "";
  const up = `${several}for ${durationWords(server.uptime_seconds)}`;
  return server.active_requests > 0 ? `${up}, ${server.active_requests} busy` : up;
}

function startingNote(server: Server): string {
  if (server.progress === null) return "loading";
  const percent = percentWords(server.progress);
  return server.eta_seconds === null ? percent : `${percent}, ${durationWords(server.eta_seconds)} left`;
}
