import { lazy, Suspense, useEffect } from "react";
import { useDetails } from "./details";
import { keepMemoryHistory } from "./memory-history";

const Drawer = lazy(() => import("./drawer/drawer"));

/** The details of the model that the address names. Its code is fetched when one is opened first. */
export function DetailsHost() {
  const details = useDetails();
  useEffect(keepMemoryHistory, []);
  if (details === null) return null;
  return (
    <Suspense fallback={null}>
      <Drawer key={details.modelId} {...details} />
    </Suspense>
  );
}
