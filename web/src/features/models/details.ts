import { go, restate, routeOf, useRoute } from "../../lib/router";

export const TABS = ["overview", "settings", "names", "log", "use"] as const;
export type Tab = (typeof TABS)[number];

/** A model whose details are open, and at which tab. */
export interface Details {
  modelId: string;
  tab: Tab;
}

/** Opens a model's details beside the table, or another tab of them. What else the address says stays. */
export function openDetails(modelId: string, tab: Tab = "overview"): void {
  const { model: before, tab: _tab, fetch: _fetch, ...rest } = queryHere();
  const query = { ...rest, model: modelId, ...(tab === "overview" ? {} : { tab }) };
  // From one tab to the next is no step to go back over; to a model it is.
  if (before === modelId) restate("", query);
  else go("", query);
}

export function closeDetails(): void {
  const { model: _model, tab: _tab, ...rest } = queryHere();
  restate("", rest);
}

/** What the address says is open. */
export function useDetails(): Details | null {
  return detailsIn(useRoute().query);
}

export function detailsIn(query: URLSearchParams): Details | null {
  const modelId = query.get("model");
  if (!modelId) return null;
  return { modelId, tab: TABS.find((tab) => tab === query.get("tab")) ?? "overview" };
}

function queryHere(): Record<string, string> {
  const { path, query } = routeOf(location.hash);
  return path === "" ? Object.fromEntries(query) : {};
}
