import { useEffect, useMemo, useState } from "react";
import { Light } from "../../components/light";
import type { Model, Server } from "../../lib/api";
import { countWords } from "../../lib/format";
import { useStore } from "../../lib/store";
import { countsOf, type Fate, fatesOf, isWatched, type Phase, type Run, run } from "./fates";
import "./fates-panel.css";

const MOST = 40;
const LINGER_MS = 8000;
const LIGHTS: Record<Phase, string> = {
  asked: "grey",
  queued: "grey",
  starting: "amber",
  running: "green",
  failed: "red",
  stopped: "grey",
};

interface FatesProps {
  models: Model[];
  servers: ReadonlyMap<string, Server>;
}

/** What becomes of each model of a START ALL, as it happens; beside the page, which goes on. */
export function Fates(props: FatesProps) {
  const now = useStore(run);
  useEffect(() => {
    isWatched.set(true);
    return () => isWatched.set(false);
  }, []);
  return now && <FatesPanel run={now} {...props} />;
}

function FatesPanel({ run: now, models, servers }: FatesProps & { run: Run }) {
  const fates = useMemo(() => fatesOf(now, models, servers), [now, models, servers]);
  const counts = countsOf(fates);
  const count = (phase: Phase) => counts.get(phase) ?? 0;
  const isOver = now.asks === 0;
  const hold = useLingering(isOver && count("failed") === 0);
  const title = isOver ? now.summaries.join(". ") : `Starting ${countWords(fates.length, "model")}`;
  const told = [
    `${count("running")} of ${fates.length} running`,
    count("failed") > 0 && `${count("failed")} failed`,
  ].filter(Boolean);
  return (
    <section className="fates" aria-label="What is being started" {...hold}>
      <header className="fates-head">
        <h2>{title}</h2>
        <button
          type="button"
          className="button button-plain"
          aria-label="Close what is being started"
          onClick={() => run.set(null)}
        >
          ×
        </button>
      </header>
      <p className="fates-told" role="status">
        {told.join(", ")}
      </p>
      <Meter total={fates.length} running={count("running")} failed={count("failed")} />
      <ul className="fates-list">
        {fates.slice(0, MOST).map((fate) => (
          <Line key={fate.model.model_id} fate={fate} />
        ))}
        {fates.length > MOST && <li className="fates-rest">and {fates.length - MOST} more</li>}
      </ul>
    </section>
  );
}

function Line({ fate: { model, phase, words } }: { fate: Fate }) {
  return (
    <li className="fate" data-phase={phase}>
      <Light colour={LIGHTS[phase]} />
      <span className="fate-name">{model.display_name}</span>
      <span className="fate-words">{words}</span>
    </li>
  );
}

function Meter({ total, running, failed }: { total: number; running: number; failed: number }) {
  return (
    <svg
      className="fates-meter"
      viewBox={`0 0 ${Math.max(1, total)} 1`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <rect className="fates-running" height="1" width={running} />
      <rect className="fates-failed" height="1" x={total - failed} width={failed} />
    </svg>
  );
}

/** Where all went well it closes by itself after a while, but never while somebody is at it. */
function useLingering(isDone: boolean) {
  const [isHeld, setIsHeld] = useState(false);
  useEffect(() => {
    if (!isDone || isHeld) return;
    const timer = setTimeout(() => run.set(null), LINGER_MS);
    return () => clearTimeout(timer);
  }, [isDone, isHeld]);
  return {
    onPointerEnter: () => setIsHeld(true),
    onPointerLeave: () => setIsHeld(false),
    onFocus: () => setIsHeld(true),
    onBlur: () => setIsHeld(false),
  };
}
