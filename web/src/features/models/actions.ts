import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Model, type ModelEdit } from "../../lib/api";
import { ApiError } from "../../lib/http";
import { announce, clearNote, noteOf, putNote } from "./notes";

// Actions ask; what came of it is read from the registry again. None writes a status.

const FLEET = ["fleet"];

function lookAgain(client: QueryClient): Promise<unknown> {
  return client.invalidateQueries({ queryKey: FLEET });
}

export function useStart(model: Model) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: FLEET,
    mutationFn: () => api.start(model.model_id),
    onMutate: () => clearNote(model.model_id),
    onSuccess: ({ status }) => {
      if (status === "already_running") announce(`${model.display_name} is already running`);
    },
    onError: (failure) => fail(model, failure),
    onSettled: () => lookAgain(client),
  });
}

export function useStop(model: Model) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: FLEET,
    mutationFn: () => api.stop(model.model_id),
    onMutate: () => clearNote(model.model_id),
    onSuccess: ({ message }) => announce(message),
    onError: (failure) => fail(model, failure),
    onSettled: () => lookAgain(client),
  });
}

/** A choice about one model. Its refusal is shown in the model's row, or `here`, by whoever asked. */
export function useEdit(model: Model, refusedWhere: "row" | "here" = "row") {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (edit: ModelEdit) => api.edit(model.model_id, edit),
    onMutate: () => clearNote(model.model_id),
    onSuccess: ({ restart_required }) => {
      if (restart_required) announce(`Saved. ${model.display_name} takes it up at its next start.`);
    },
    onError: (failure) => {
      if (refusedWhere === "row") fail(model, failure);
    },
    onSettled: () => lookAgain(client),
  });
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

export function useStartAll() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: FLEET,
    mutationFn: api.startAll,
    onSuccess: (answer) => {
      for (const { model_id, error, detail } of answer.failed) putNote(model_id, { error, detail });
      const hint = answer.total === 0 ? ". Tick the models that should start, or ENABLE ALL." : "";
      announce(answer.message + hint, answer.failed.length > 0);
    },
    onError: announceFailure,
    onSettled: () => lookAgain(client),
  });
}

export function useStopAll() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: FLEET,
    mutationFn: api.stopAll,
    onSuccess: (answer) => {
      for (const { model_id, error, detail } of answer.failed) putNote(model_id, { error, detail });
      announce(answer.message, answer.failed.length > 0);
    },
    onError: announceFailure,
    onSettled: () => lookAgain(client),
  });
}

export function useRescan() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: FLEET,
    mutationFn: api.rescan,
    onSuccess: ({ message, added, removed, changed }) =>
      announce(`${message}: ${added} new, ${removed} gone, ${changed} changed`),
    onError: announceFailure,
    onSettled: () => lookAgain(client),
  });
}

/** Enables the given models; `left` of them were left out because they cannot run here. */
export function useEnableAll() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ modelIds }: { modelIds: string[]; left: number }) => api.enable(modelIds),
    onSuccess: ({ message }, { left }) =>
      announce(
        left === 0 ? message : `${message}. ${left} left out: broken, missing or too large for this machine.`,
      ),
    onError: announceFailure,
    onSettled: () => lookAgain(client),
  });
}

function fail(model: Model, failure: unknown): void {
  const note = noteOf(failure);
  const cancelled = failure instanceof ApiError && failure.error === "Start cancelled";
  if (!cancelled) putNote(model.model_id, note);
  announce(`${model.display_name}: ${note.error}`, !cancelled);
}

function announceFailure(failure: unknown): void {
  const { error, detail } = noteOf(failure);
  announce(detail ? `${error}: ${detail}` : error, true);
}
