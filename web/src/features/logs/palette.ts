import type { QueryClient } from "@tanstack/react-query";
import type { Action } from "../../lib/feature";
import type { Fleet } from "../../lib/live";
import { go } from "../../lib/router";
import { queryOf, sourcesOf } from "./sources";

/** To each log. */
export function listActions(client: QueryClient): Action[] {
  return sourcesOf(client.getQueryData<Fleet>(["fleet"])).map((source) => ({
    label: `Log of ${source.label}`,
    hint: source.isEvery ? "all servers live" : (source.modelId ?? "own"),
    run: () => go("logs", queryOf(source)),
  }));
}
