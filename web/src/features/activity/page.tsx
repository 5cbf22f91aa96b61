import { useMemo } from "react";
import { useFleet } from "../../lib/fleet";
import { useRoute } from "../../lib/router";
import { Charts } from "./charts";
import { EndedCalls } from "./ended-calls";
import { LiveCalls, QueueLines, Waiting } from "./live-calls";
import { useSummary, useToldTraffic } from "./traffic";
import "../../components/bar.css";
import "../../components/plain-table.css";
import "./page.css";

export default function ActivityPage() {
  useToldTraffic();
  const { query } = useRoute();
  const models = useFleet().data?.registry.models;
  const summary = useSummary();
  const nameOf = useMemo(() => {
    const names = new Map(models?.map(({ model_id, display_name }) => [model_id, display_name]));
    return (modelId: string) => names.get(modelId) ?? modelId;
  }, [models]);
  return (
    <>
      <h1 className="unseen">Activity</h1>
      <div className="charts-place">
        {summary.data ? <Charts summary={summary.data} /> : <Waiting error={summary.error} />}
      </div>
      <h2 className="section-title">In flight</h2>
      <LiveCalls nameOf={nameOf} />
      <h2 className="section-title">Queue</h2>
      <QueueLines nameOf={nameOf} />
      <h2 className="section-title">Past requests</h2>
      <EndedCalls query={query} models={models ?? []} nameOf={nameOf} />
    </>
  );
}
