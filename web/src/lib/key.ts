import { createStore } from "./store";

const NAME = "synapse-api-key";

/** What the control plane said about our key: `absent` asks for one, `refused` says that it was wrong. */
export const keyWanted = createStore<"no" | "absent" | "refused">("no");

export function apiKey(): string | null {
  return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
}

/** Keeps the key for this tab, or for this browser. */
export function keepKey(key: string, forEver: boolean): void {
  forgetKey();
  (forEver ? localStorage : sessionStorage).setItem(NAME, key);
  keyWanted.set("no");
}

export function forgetKey(): void {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}
