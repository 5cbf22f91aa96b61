import { createStore } from "../../lib/store";

/** The models whose rows have a question open. Their rows stay, so that no answer is lost by scrolling. */
export const asked = createStore<readonly string[]>([]);

export function toggleAsked(modelId: string): void {
  asked.set((now) => (now.includes(modelId) ? now.filter((id) => id !== modelId) : [...now, modelId]));
}
