import type { QueryRecord } from "../../../lib/api";
import { createStore, type Store } from "../../../lib/store";

const stores = new Map<number, Store<QueryRecord | null>>();

/** The record of a query as far as it is known here; null before anything is. */
export function recordStore(id: number): Store<QueryRecord | null> {
  const found = stores.get(id) ?? createStore<QueryRecord | null>(null);
  stores.set(id, found);
  return found;
}

/** How many queries have begun or ended while the page was open: what lists them looks again. */
export const changes = createStore(0);
