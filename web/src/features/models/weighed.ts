import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type Plan } from "../../lib/api";
import { createStore, useStore } from "../../lib/store";

const DWELL_MS = 120;
const FRESH_MS = 5000;

type How = "pointer" | "focus";

/** Whose START is pointed at, and whose has the focus; the later of them last. */
export const weighed = createStore<readonly { how: How; modelId: string }[]>([]);

/** Takes note that START of a model is pointed at, or has the focus, or not any longer. */
export function weigh(how: How, modelId: string, isSo: boolean): void {
  weighed.set((now) => {
    // There is one pointer and one focus.
    const others = now.filter((one) => one.how !== how || (!isSo && one.modelId !== modelId));
    return isSo ? [...others, { how, modelId }] : others;
  });
}

/** What a start of the weighed model would come to, once one has dwelt on it. */
export function usePlan(): { modelId: string; plan: Plan } | null {
  const modelId = useDwelling(useStore(weighed, (all) => all.at(-1)?.modelId ?? null));
  const { data } = useQuery({
    queryKey: ["plan", modelId],
    queryFn: ({ signal }) => api.plan(modelId ?? "", signal),
    enabled: modelId !== null,
    staleTime: FRESH_MS,
  });
  return modelId !== null && data ? { modelId, plan: data } : null;
}

/** The value once it has stayed for a while; none at once. */
function useDwelling(value: string | null): string | null {
  const [dwelt, setDwelt] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setDwelt(value), DWELL_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return value === dwelt ? dwelt : null;
}
