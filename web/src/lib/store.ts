import { useSyncExternalStore } from "react";

/** A value outside React that components can watch. For what a person sees, never for server state. */
export interface Store<T> {
  get: () => T;
  set: (next: T | ((previous: T) => T)) => void;
  subscribe: (listener: () => void) => () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (next) => {
      const following = next instanceof Function ? next(value) : next;
      if (Object.is(following, value)) return;
      value = following;
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T, Selected = T>(
  store: Store<T>,
  select: (value: T) => Selected = (value) => value as unknown as Selected,
): Selected {
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}
