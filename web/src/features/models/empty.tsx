import { lazy, Suspense } from "react";
import type { Registry } from "../../lib/api";
import { percentWords } from "../../lib/format";
import "./empty.css";

const FirstRun = lazy(() => import("./first-run/first-run"));

/** No models: still looking, or the first steps. */
export function Empty({ registry }: { registry: Registry }) {
  if (registry.last_scan === null || (registry.scanning && registry.scan_progress !== null)) {
    return (
      <section className="empty">
        <h2>Looking for models… {registry.scan_progress !== null && percentWords(registry.scan_progress)}</h2>
      </section>
    );
  }
  return (
    <Suspense fallback={null}>
      <FirstRun registry={registry} />
    </Suspense>
  );
}
