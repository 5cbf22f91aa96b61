import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import { useStore } from "../../lib/store";
import { useEnableAll, useRescan, useStartAll, useStopAll } from "./actions";
import { announcement } from "./notes";
import "./toolbar.css";

/** What is done to all models at once, and the line that says what came of it. */
export function Toolbar({ models, fitting }: { models: Model[]; fitting: string[] }) {
  const startAll = useStartAll();
  const stopAll = useStopAll();
  const rescan = useRescan();
  const enableAll = useEnableAll();
  const left = models.length - fitting.length;
  return (
    <div className="toolbar" role="toolbar" aria-label="All models">
      <Press
        className="button-main"
        available={!startAll.isPending && models.length > 0}
        onPress={() => startAll.mutate()}
      >
        START ALL ENABLED
      </Press>
      <Press available={!stopAll.isPending} onPress={() => stopAll.mutate()}>
        STOP ALL SERVERS
      </Press>
      <Press
        title="Enable every model that fits into this machine's memory"
        available={!enableAll.isPending && fitting.length > 0}
        onPress={() => enableAll.mutate({ modelIds: fitting, left })}
      >
        ENABLE ALL
      </Press>
      <Press available={!rescan.isPending} onPress={() => rescan.mutate()}>
        RE-SCAN HUB
      </Press>
    </div>
  );
}

/** The last thing that happened, for eyes and for screen readers. Its line is always there. */
export function Announcement() {
  const { text, bad } = useStore(announcement);
  return (
    <p className="announcement" data-bad={bad} role="status">
      {text}
    </p>
  );
}
