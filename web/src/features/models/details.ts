import { createStore } from "../../lib/store";

/** The model whose details are open. */
export const detailed = createStore<string | null>(null);

/** Opens a model's details, or closes them where they are open. */
export function openDetails(modelId: string): void {
  detailed.set((now) => (now === modelId ? null : modelId));
}
