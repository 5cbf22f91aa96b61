import { useQuery } from "@tanstack/react-query";
import { api } from "../../lib/api";

const AGAIN_MS = 30_000;
const NONE: ReadonlyMap<string, number> = new Map();

/** Tokens per second by model, mean of the last day's answers. */
export function useSpeeds(): ReadonlyMap<string, number> {
  const { data } = useQuery({
    queryKey: ["speeds"],
    queryFn: ({ signal }) => api.summary(signal),
    select: speedsIn,
    refetchInterval: AGAIN_MS,
  });
  return data ?? NONE;
}

function speedsIn({ models }: Awaited<ReturnType<typeof api.summary>>): ReadonlyMap<string, number> {
  return new Map(
    models.flatMap(({ model_id, output_per_second }) =>
      model_id !== null && output_per_second !== null ? [[model_id, output_per_second]] : [],
    ),
  );
}
