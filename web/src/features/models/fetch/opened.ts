import { go, restate, routeOf, useRoute } from "../../../lib/router";

/** Opens the dialog that fetches a model, perhaps with a repository's name in it. */
export function openFetch(repo = ""): void {
  const { model: _model, tab: _tab, ...rest } = queryHere();
  go("", { ...rest, fetch: repo });
}

export function closeFetch(): void {
  const { fetch: _fetch, ...rest } = queryHere();
  restate("", rest);
}

/** The name that the open dialog began with; null while it is closed. */
export function useFetchOpened(): string | null {
  return useRoute().query.get("fetch");
}

function queryHere(): Record<string, string> {
  const { path, query } = routeOf(location.hash);
  return path === "" ? Object.fromEntries(query) : {};
}
