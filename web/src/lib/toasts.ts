import { createStore } from "./store";

export interface Toast {
  id: number;
  /** A later toast of the same name takes its place. */
  name: string | null;
  text: string;
  tone: "calm" | "bad";
  undo: Undo | null;
}

/** How to take back what has just been done. */
export interface Undo {
  label: string;
  run: () => void;
}

export const toasts = createStore<readonly Toast[]>([]);

const MOST = 4;
let lastId = 0;

interface Said {
  tone?: Toast["tone"];
  name?: string;
  undo?: Undo;
}

/** Says something in passing, for eyes and for screen readers. */
export function say(text: string, { tone = "calm", name, undo }: Said = {}): void {
  lastId += 1;
  const toast: Toast = { id: lastId, name: name ?? null, text, tone, undo: undo ?? null };
  toasts.set((all) => [...all.filter((old) => old.name === null || old.name !== name), toast].slice(-MOST));
}

export function unsay(id: number): void {
  toasts.set((all) => all.filter((toast) => toast.id !== id));
}

/** Takes back the newest thing that can be; false if nothing can. */
export function undoLast(): boolean {
  const toast = toasts.get().findLast(({ undo }) => undo !== null);
  if (!toast?.undo) return false;
  unsay(toast.id);
  toast.undo.run();
  return true;
}
