import { useQuery } from "@tanstack/react-query";
import { api } from "../../lib/api";

const OFFLINE_SECONDS = 3;

/** The control plane itself: version, engine, devices, and how often the page should look. */
export function useSystem() {
  return useQuery({
    queryKey: ["system"],
    queryFn: ({ signal }) => api.system(signal),
    refetchInterval: (query) =>
      1000 * (query.state.error ? OFFLINE_SECONDS : (query.state.data?.refresh_seconds ?? 30)),
  });
}
