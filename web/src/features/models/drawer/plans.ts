import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api, type Model, type Plan } from "../../../lib/api";

/** Settings as an edit would bring them; null puts a default back. */
export type Edit = Readonly<Record<string, unknown>>;

const TYPING_MS = 250;
// A plan depends on what runs beside the model, which the plan's own key does not name.
const FRESH_MS = 5000;

/** What a start would come to with these unsaved settings. The last answer stays until the next one, and
 * beside a refusal. */
export function usePlan(model: Model, edit: Edit) {
  const { data, error } = useQuery(planQuery(model, edit));
  const last = useRef(data);
  if (data) last.current = data;
  return { data: last.current, error };
}

/** The same for each of several edits, by the place in the list; undefined while it is not known. */
export function usePlans(model: Model, edits: Edit[]): (Plan | undefined)[] {
  return useQueries({
    queries: edits.map((edit) => ({ ...planQuery(model, edit), placeholderData: keepPreviousData })),
  }).map(({ data }) => data);
}

function planQuery(model: Model, edit: Edit) {
  return {
    // With the choices that are saved: other ones make another plan.
    queryKey: ["plan", model.model_id, model.status, model.settings, edit],
    queryFn: ({ signal }: { signal: AbortSignal }) => api.planWith(model.model_id, edit, signal),
    staleTime: FRESH_MS,
  };
}

/** A value, once it has stopped changing: each plan is a question to the control plane. */
export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** What the header and the settings come to, in MB: without what was measured, so that two can be compared. */
export function estimatedMb({ estimate }: Plan): number {
  return Object.values(estimate).reduce((sum, part) => sum + part, 0);
}
