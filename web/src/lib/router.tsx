import { type ComponentProps, useSyncExternalStore } from "react";

// Pages live behind the `#`: the control plane serves one document, and a reload comes back to the same page.

/** Where the page is: `#/ask?model=x` is path `ask` with a query. The home page's path is empty. */
export interface Route {
  path: string;
  query: URLSearchParams;
}

/** The route that a URL's hash means. */
export function routeOf(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  return { path, query: new URLSearchParams(query) };
}

/** A link's address for a path, with what the page there should know. */
export function hrefOf(path: string, query: Record<string, string> = {}): string {
  const words = new URLSearchParams(query).toString();
  return `#/${path}${words && `?${words}`}`;
}

/** Goes to another page, as pressing a link to it does. */
export function go(path: string, query: Record<string, string> = {}): void {
  location.hash = hrefOf(path, query);
}

/** Says what this page shows in its address, without a step to go back over. */
export function restate(path: string, query: Record<string, string>): void {
  history.replaceState(history.state, "", hrefOf(path, query));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Changes some words of this page's address and leaves the others; what is empty goes. */
export function amend(words: Record<string, string>): void {
  const { path, query } = routeOf(location.hash);
  for (const [name, word] of Object.entries(words)) {
    if (word) query.set(name, word);
    else query.delete(name);
  }
  restate(path, Object.fromEntries(query));
}

/** The route now, and again whenever it changes. */
export function useRoute(): Route {
  return routeOf(useSyncExternalStore(subscribe, () => location.hash));
}

interface LinkProps extends Omit<ComponentProps<"a">, "href"> {
  to: string;
  query?: Record<string, string>;
}

export function Link({ to, query, ...rest }: LinkProps) {
  return <a {...rest} href={hrefOf(to, query)} />;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
