import type { QueryClient } from "@tanstack/react-query";
import type { Model, System } from "../../lib/api";
import type { Action } from "../../lib/feature";
import type { Fleet } from "../../lib/live";
import { mutateOnce } from "../../lib/mutate";
import { canStart, canStop } from "../../lib/status";
import { editing, enabling, rescanning, starting, startingAll, stopping, stoppingAll } from "./actions";
import { openDetails } from "./details";
import { openFetch } from "./fetch/opened";
import { allThatFit, thatFit } from "./fits";

/** What can be done to the models: to all of them, and to each. */
export function listActions(client: QueryClient): Action[] {
  const models = client.getQueryData<Fleet>(["fleet"])?.registry.models ?? [];
  return [...forAll(client, models), ...models.flatMap((model) => forOne(client, model))];
}

function forAll(client: QueryClient, models: Model[]): Action[] {
  const devices = client.getQueryData<System>(["system"])?.devices ?? [];
  return [
    { label: "START ALL ENABLED", run: () => mutateOnce(client, startingAll(client), undefined) },
    { label: "STOP ALL SERVERS", run: () => mutateOnce(client, stoppingAll(client), undefined) },
    {
      label: "ENABLE ALL",
      hint: "that fit",
      run: () => mutateOnce(client, enabling(client), allThatFit(models, thatFit(models, devices))),
    },
    { label: "FETCH A MODEL", hint: "download from Hugging Face", run: () => openFetch() },
    { label: "RE-SCAN HUB", run: () => mutateOnce(client, rescanning(client), undefined) },
  ];
}

function forOne(client: QueryClient, model: Model): Action[] {
  const { display_name: name, model_id: hint, enabled } = model;
  const actions: Action[] = [];
  if (canStart(model))
    actions.push({
      label: `START ${name}`,
      hint,
      run: () => mutateOnce(client, starting(client, model), {}),
    });
  if (canStop(model))
    actions.push({
      label: `STOP ${name}`,
      hint,
      run: () => mutateOnce(client, stopping(client, model), undefined),
    });
  actions.push({
    label: `${enabled ? "Disable" : "Enable"} ${name}`,
    hint,
    run: () => mutateOnce(client, editing(client, model), { enabled: !enabled }),
  });
  actions.push({
    label: `Details of ${name}`,
    hint: `${hint} settings variants log snippets`,
    run: () => openDetails(model.model_id),
  });
  return actions;
}
