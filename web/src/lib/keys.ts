import { useEffect, useRef } from "react";
import { createStore } from "./store";

/** A key, or two pressed one after the other: `?`, `/`, `g m`, `mod+k` (Ctrl, on a Mac Cmd). */
export interface Binding {
  keys: string;
  /** What it does, for the list that `?` shows. */
  words: string;
  /** Absent where what has the focus hears the key itself: then it is only listed. */
  run?: () => void;
}

const SEQUENCE_MS = 1500;

/** Every key that does something just now, newest last; of equals the newest counts. */
export const bindings = createStore<readonly Binding[]>([]);

/** Makes keys work for as long as the component is there. */
export function useKeys(wanted: Binding[]): void {
  const newest = useRef(wanted);
  newest.current = wanted;
  const names = wanted.map(({ keys, words }) => `${keys}\n${words}`).join("\n\n");
  useEffect(() => {
    const own = names.split("\n\n").map((name, index): Binding => {
      const [keys = "", words = ""] = name.split("\n");
      const isHeard = newest.current[index]?.run !== undefined;
      return { keys, words, ...(isHeard ? { run: () => newest.current[index]?.run?.() } : {}) };
    });
    bindings.set((all) => [...all, ...own]);
    return () => bindings.set((all) => all.filter((binding) => !own.includes(binding)));
  }, [names]);
}

/** Hears the keyboard until the returned function is called. */
export function hearKeys(): () => void {
  let first = { key: "", at: 0 };
  function hear(event: KeyboardEvent): void {
    const key = keyOf(event);
    if (key === null) return;
    const sequence = event.timeStamp - first.at < SEQUENCE_MS ? `${first.key} ${key}` : "";
    const binding = bound(sequence) ?? bound(key);
    first = binding ? { key: "", at: 0 } : { key, at: event.timeStamp };
    if (!binding) return;
    event.preventDefault();
    binding.run?.();
  }
  addEventListener("keydown", hear);
  return () => removeEventListener("keydown", hear);
}

/** The key's name, unless it belongs to a field, to a dialog or to the browser. */
function keyOf(event: KeyboardEvent): string | null {
  if (event.defaultPrevented || event.altKey || event.isComposing) return null;
  if (event.ctrlKey || event.metaKey) return `mod+${event.key.toLowerCase()}`;
  return isTypedInto(event.target) ? null : event.key;
}

function isTypedInto(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest("[role=dialog], dialog, [role=menu]")) return true;
  return target.matches("textarea, select, input:not([type=checkbox], [type=radio]), [contenteditable]");
}

function bound(keys: string): Binding | undefined {
  return bindings.get().findLast((binding) => binding.keys === keys && binding.run);
}
