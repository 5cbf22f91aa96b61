import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type Plan } from "../../lib/api";
import { createStore, useStore } from "../../lib/store";

const DWELL_MS = 120;
const FRESH_MS = 5000;

interface Weighed {
  pointedAt: string | null;
  focused: string | null;
}

/** The models whose START is pointed at, and has the focus. */
export const weighed = createStore<Weighed>({ pointedAt: null, focused: null });

/** Takes note that START of a model is pointed at, or focused, or is so no longer. */
export function weigh(how: keyof Weighed, modelId: string, isSo: boolean): void {
  weighed.set((now) => {
    if (isSo) return { ...now, [how]: modelId };
    return now[how] === modelId ? { ...now, [how]: null } : now;
  });
}

/** What a start of the weighed model would come to, once one has dwelt on it. */
export function usePlan(): { modelId: string; plan: Plan } | null {
  const modelId = useDwelling(useStore(weighed, ({ pointedAt, focused }) => pointedAt ?? focused));
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
