import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Model, type ModelEdit } from "../../lib/api";
import { ApiError, refusalOf } from "../../lib/http";
import type { Fleet } from "../../lib/live";
import { mutateOnce } from "../../lib/mutate";
import { canStart, canStop } from "../../lib/status";
import { say } from "../../lib/toasts";
import { answered, begun, isWatched, refused, run } from "./fates";
import { clearNote, putNote } from "./notes";

// Actions ask; what came of it is read from the registry again. None writes a status.

const FLEET = ["fleet"];

function lookAgain(client: QueryClient): Promise<unknown> {
  return client.invalidateQueries({ queryKey: FLEET });
}

export const starting = (client: QueryClient, model: Model) => ({
  mutationKey: FLEET,
  mutationFn: ({ force = false }: { force?: boolean } = {}) => api.start(model.model_id, force),
  onMutate: () => clearNote(model.model_id),
  onSuccess: ({ status }: { status: string }) => {
    if (status === "already_running") say(`${model.display_name} is already running`);
  },
  onError: (failure: Error) => fail(model, failure),
  onSettled: () => lookAgain(client),
});

export const stopping = (client: QueryClient, model: Model) => ({
  mutationKey: FLEET,
  mutationFn: () => api.stop(model.model_id),
  onMutate: () => clearNote(model.model_id),
  onSuccess: ({ message, status }: { message: string; status: string }) => {
    const run = () => mutateOnce(client, starting(client, model), {});
    say(message, status === "stopped" ? { undo: { label: "START again", run } } : {});
  },
  onError: (failure: Error) => fail(model, failure),
  onSettled: () => lookAgain(client),
});

export function useStart(model: Model) {
  return useMutation(starting(useQueryClient(), model));
}

export function useStop(model: Model) {
  return useMutation(stopping(useQueryClient(), model));
}

/** What a key does to a model: stops it where it can be stopped, else starts it. */
export function useSwitch(): (model: Model) => void {
  const client = useQueryClient();
  return (model) => {
    if (canStop(model)) mutateOnce(client, stopping(client, model), undefined);
    else if (canStart(model)) mutateOnce(client, starting(client, model), {});
  };
}

/** Ends a hold: requests may start the model again. */
export function useRelease(model: Model) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.release(model.model_id),
    onSuccess: () => say(`Released ${model.display_name}: a request may start it again.`),
    onError: (failure: Error) => fail(model, failure),
    onSettled: () => lookAgain(client),
  });
}

/** A choice about one model, with a way back. Its refusal is shown in the model's row, or `here`, by whoever asked. */
export const editing = (client: QueryClient, model: Model, refusedWhere: "row" | "here" = "row") => ({
  mutationFn: (edit: ModelEdit) => api.edit(model.model_id, edit),
  // The way back is known only now: what the edit changes may be told before its answer is here.
  onMutate: (edit: ModelEdit) => {
    clearNote(model.model_id);
    return wayBack(model, edit);
  },
  onSuccess: ({ restart_required }: Model, edit: ModelEdit, back: ModelEdit = wayBack(model, edit)) => {
    const run = () => mutateOnce(client, editing(client, model), back);
    const rest = restart_required ? " It takes that up at its next start." : "";
    say(`${editWords(model, edit)}${rest}`, {
      name: `edit ${model.model_id}`,
      undo: { label: "Undo", run },
    });
  },
  onError: (failure: Error) => {
    if (refusedWhere === "row") fail(model, failure);
  },
  onSettled: () => lookAgain(client),
});

export function useEdit(model: Model, refusedWhere: "row" | "here" = "row") {
  return useMutation(editing(useQueryClient(), model, refusedWhere));
}

/** The edit that brings back what the model has now. */
export function wayBack(model: Model, edit: ModelEdit): ModelEdit {
  const back: ModelEdit = {};
  if ("enabled" in edit) back.enabled = model.enabled;
  if ("tier" in edit) back.tier = model.tier_is_override ? model.tier : null;
  if ("port" in edit) back.port = model.port_is_pinned ? model.port : null;
  if ("aliases" in edit) back.aliases = model.aliases;
  if (edit.settings === null) back.settings = model.settings;
  else if (edit.settings !== undefined) {
    const names = Object.keys(edit.settings);
    back.settings = Object.fromEntries(names.map((name) => [name, model.settings[name] ?? null]));
  }
  return back;
}

function editWords({ display_name }: Model, edit: ModelEdit): string {
  if (edit.enabled !== undefined) return `${edit.enabled ? "Enabled" : "Disabled"} ${display_name}.`;
  const name = edit.settings ? Object.keys(edit.settings).join(", ") : Object.keys(edit).join(", ");
  return `Saved ${name} of ${display_name}.`;
}

/** One choice as a field has it: what was asked shows at once, what is known once the answer is there. */
export function useChoice<Key extends "enabled" | "tier" | "port">(
  model: Model,
  key: Key,
  known: ModelEdit[Key],
) {
  const edit = useEdit(model);
  const [asked, setAsked] = useState<{ value: ModelEdit[Key] } | null>(null);
  function choose(value: ModelEdit[Key]): void {
    setAsked({ value });
    edit.mutate({ [key]: value }, { onSettled: () => setAsked(null) });
  }
  return { shown: asked ? asked.value : known, choose };
}

/** Starts the given models, or all that are enabled. What becomes of each is shown as it happens. */
export const startingAll = (client: QueryClient) => ({
  mutationKey: FLEET,
  mutationFn: (modelIds: string[] | undefined) => api.startAll(modelIds),
  onMutate: (modelIds: string[] | undefined) => {
    const models = client.getQueryData<Fleet>(FLEET)?.registry.models ?? [];
    const wanted = new Set(modelIds);
    const meant = models.filter((model) => (modelIds ? wanted.has(model.model_id) : model.enabled));
    for (const { model_id } of meant) clearNote(model_id);
    run.set((now) => begun(now, meant));
  },
  onSuccess: (answer: Awaited<ReturnType<typeof api.startAll>>) => {
    run.set((now) => answered(now, answer));
    for (const { model_id, error, detail } of answer.failed) putNote(model_id, { error, detail });
    if (answer.total === 0) run.set(null);
    else if (isWatched.get()) return;
    const hint = answer.total === 0 ? ". Tick the models that should start, or ENABLE ALL." : "";
    say(answer.message + hint, { tone: answer.failed.length > 0 ? "bad" : "calm", name: "start all" });
  },
  onError: (failure: Error) => {
    run.set((now) => refused(now, refusalOf(failure).error));
    sayFailure(failure);
  },
  onSettled: () => lookAgain(client),
});

/** Stops every server, with a way back: those are started again that ran when it was asked. */
export const stoppingAll = (client: QueryClient) => ({
  mutationKey: FLEET,
  mutationFn: () => api.stopAll(),
  onMutate: () => {
    const models = client.getQueryData<Fleet>(FLEET)?.registry.models ?? [];
    return models.filter(({ status }) => status === "running").map(({ model_id }) => model_id);
  },
  onSuccess: (answer: Awaited<ReturnType<typeof api.stopAll>>, _: unknown, ran: string[]) => {
    for (const { model_id, error, detail } of answer.failed) putNote(model_id, { error, detail });
    const run = () => mutateOnce(client, startingAll(client), ran);
    say(answer.message, {
      tone: answer.failed.length > 0 ? "bad" : "calm",
      ...(ran.length > 0 ? { undo: { label: "START them again", run } } : {}),
    });
  },
  onError: sayFailure,
  onSettled: () => lookAgain(client),
});

export const rescanning = (client: QueryClient) => ({
  mutationKey: FLEET,
  mutationFn: api.rescan,
  onSuccess: ({ message, added, removed, changed }: Awaited<ReturnType<typeof api.rescan>>) =>
    say(`${message}: ${added} new, ${removed} gone, ${changed} changed`),
  onError: sayFailure,
  onSettled: () => lookAgain(client),
});

interface Enabling {
  enabled: boolean;
  models: Model[];
  /** What was left out, and why, as the end of a sentence. */
  rest?: string;
}

/** Enables or disables the given models at once. */
export const enabling = (client: QueryClient) => ({
  mutationFn: ({ enabled, models }: Enabling) =>
    api.enable(
      enabled,
      models.map(({ model_id }) => model_id),
    ),
  onSuccess: ({ message }: { message: string }, { enabled, models, rest = "" }: Enabling) => {
    const changed = models.filter((model) => model.enabled !== enabled);
    const run = () => mutateOnce(client, enabling(client), { enabled: !enabled, models: changed });
    say(`${message}${rest}`, changed.length > 0 ? { undo: { label: "Undo", run } } : {});
  },
  onError: sayFailure,
  onSettled: () => lookAgain(client),
});

/** Shown with the model, and said. */
export function fail(model: Model, failure: unknown): void {
  const note = refusalOf(failure);
  const cancelled = failure instanceof ApiError && failure.error === "Start cancelled";
  if (!cancelled) putNote(model.model_id, note);
  say(`${model.display_name}: ${note.error}`, { tone: cancelled ? "calm" : "bad" });
}

function sayFailure(failure: Error): void {
  const { error, detail } = refusalOf(failure);
  say(detail ? `${error}: ${detail}` : error, { tone: "bad" });
}
