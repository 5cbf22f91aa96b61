import { useQuery } from "@tanstack/react-query";
import { api } from "./api";
import { retryMs } from "./http";

/** The control plane itself: version, engine, devices, and how often the page should look. */
export function useSystem() {
  return useQuery({
    queryKey: ["system"],
    queryFn: ({ signal }) => api.system(signal),
    refetchInterval: ({ state }) =>
      state.error ? retryMs(state.error) : 1000 * (state.data?.refresh_seconds ?? 30),
  });
}
