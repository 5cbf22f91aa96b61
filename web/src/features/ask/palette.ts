import type { QueryClient } from "@tanstack/react-query";
import type { Action } from "../../lib/feature";
import type { Fleet } from "../../lib/live";
import { go } from "../../lib/router";
import { KINDS } from "./modes/kinds";
import { shelf } from "./shelf";
import { targetsOf } from "./targets";

/** Whom to ask, and every conversation that is kept. */
export function listActions(client: QueryClient): Action[] {
  const models = client.getQueryData<Fleet>(["fleet"])?.registry.models ?? [];
  return [
    { label: "New conversation", hint: "ask", run: () => go("ask") },
    ...targetsOf(models).map(({ name, label }) => ({
      label: `Ask ${label}`,
      hint: name,
      run: () => go("ask", { model: name }),
    })),
    ...KINDS.map(({ mode, label, words }) => ({
      label: `Ask by ${label}`,
      hint: words,
      run: () => go("ask", { mode }),
    })),
    ...shelf.get().map(({ id, title }) => ({
      label: title,
      hint: "conversation",
      run: () => go("ask", { c: id }),
    })),
  ];
}
