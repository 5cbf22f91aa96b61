import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Model, ModelEdit } from "../../lib/api";
import { mutateOnce } from "../../lib/mutate";
import { editing, rescanning, starting } from "./actions";
import { openDetails } from "./details";
import type { Remedy } from "./remedies";

/** Does what a failure's buttons offer. */
export function useRemedies(model: Model) {
  const client = useQueryClient();
  const start = useMutation(starting(client, model));
  const rescan = useMutation(rescanning(client));

  /** With another choice, and then once more; whether or not the failure is shown by then. */
  function startWith(change: ModelEdit): void {
    const edit = editing(client, model);
    const onSuccess = (edited: Model, _: ModelEdit, back: ModelEdit) => {
      edit.onSuccess(edited, change, back);
      mutateOnce(client, starting(client, model), {});
    };
    mutateOnce(client, { ...edit, onSuccess }, change);
  }
  function mend(remedy: Remedy): void {
    switch (remedy.does) {
      case "retry":
        start.mutate({});
        break;
      case "force":
        start.mutate({ force: true });
        break;
      case "smaller":
        startWith({ settings: { ctx_size: remedy.contextTokens } });
        break;
      case "port":
        if (model.port_is_pinned) startWith({ port: null });
        else focusPort(model);
        break;
      case "settings":
        openDetails(model.model_id, "settings");
        break;
      case "rescan":
        rescan.mutate();
        break;
    }
  }
  return { mend, isBusy: start.isPending || rescan.isPending };
}

function focusPort({ model_id }: Model): void {
  document.querySelector<HTMLElement>(`[data-model="${CSS.escape(model_id)}"] .port`)?.focus();
}
