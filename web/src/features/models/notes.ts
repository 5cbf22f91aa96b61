import type { LastError, Model } from "../../lib/api";
import { createStore } from "../../lib/store";

/** What an action of this page was answered, shown in the model's row until dismissed or tried again. */
export interface Note {
  error: string;
  detail: string;
}

interface Notes {
  answers: Readonly<Record<string, Note>>;
  /** Instants of the registry's last errors that a person has dismissed. */
  dismissed: Readonly<Record<string, string>>;
}

export const notes = createStore<Notes>({ answers: {}, dismissed: {} });

export function putNote(modelId: string, note: Note): void {
  notes.set((all) => ({ ...all, answers: { ...all.answers, [modelId]: note } }));
}

export function clearNote(modelId: string): void {
  notes.set((all) => {
    const { [modelId]: _gone, ...answers } = all.answers;
    return { ...all, answers };
  });
}

export function dismiss(model: Model): void {
  clearNote(model.model_id);
  const at = model.last_error?.at;
  if (at) notes.set((all) => ({ ...all, dismissed: { ...all.dismissed, [model.model_id]: at } }));
}

/** The row's failure: what an action was answered, else why its server ended, unless dismissed. */
export function failureOf(
  model: Model,
  answer: Note | undefined,
  dismissedAt: string | undefined,
): Note | null {
  if (answer) return answer;
  const ended = model.status === "failed" || model.status === "backoff" || model.status === "stopped";
  const last: LastError | null = model.last_error;
  return ended && last && last.at !== dismissedAt ? last : null;
}
