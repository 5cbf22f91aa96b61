import { createStore, useStore } from "../../../lib/store";
import type { Drafts } from "../settings";

/** What was typed and not saved, by model: leaving the drawer or the tab loses nothing of it. */
const drafts = createStore<Readonly<Record<string, Drafts>>>({});

const NONE: Drafts = {};

export function useDrafts(modelId: string): Drafts {
  return useStore(drafts, (all) => all[modelId] ?? NONE);
}

export function changeDrafts(modelId: string, change: (before: Drafts) => Drafts): void {
  drafts.set((all) => ({ ...all, [modelId]: change(all[modelId] ?? NONE) }));
}

export function discardDrafts(modelId: string): void {
  drafts.set(({ [modelId]: _gone, ...others }) => others);
}
