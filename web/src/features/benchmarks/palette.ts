import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Action } from "../../lib/feature";
import { go } from "../../lib/router";
import { cancel } from "./actions";
import { isActive } from "./runs";
import type { Page } from "./wire";
import { statusWords, titleOf } from "./words";

/** A new run, every run that the page knows, and an end to those that are active. */
export function listActions(client: QueryClient): Action[] {
  const past = client.getQueryData<InfiniteData<Page>>(["benchmarks", "list"]);
  const runs = past?.pages.flatMap(({ benchmarks }) => benchmarks) ?? [];
  return [
    { label: "New benchmark", hint: "measure models", run: () => go("benchmarks", { new: "1" }) },
    ...runs.filter(isActive).map((run) => ({
      label: `Cancel ${titleOf(run)}`,
      hint: `benchmark ${run.id}`,
      run: () => void cancel(client, run),
    })),
    ...runs.map((run) => ({
      label: `Open ${titleOf(run)}`,
      hint: `benchmark ${run.id}, ${statusWords(run)}`,
      run: () => go("benchmarks", { run: String(run.id) }),
    })),
  ];
}
