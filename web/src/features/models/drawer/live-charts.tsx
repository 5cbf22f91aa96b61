import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Chart } from "../../../components/chart";
import { api, type Model } from "../../../lib/api";
import type { components } from "../../../lib/api.gen";
import { countWords, memoryWords, rateWords } from "../../../lib/format";
import { retryMs } from "../../../lib/http";
import { hearEvents } from "../../../lib/live";
import type { Together } from "../../../lib/replicas";
import { canStop } from "../../../lib/status";
import { useStore } from "../../../lib/store";
import { byStretch, memoryHistory, type Sample } from "../memory-history";

type Summary = components["schemas"]["ActivitySummary"];
type Bucket = Summary["buckets"][number];
type Point = Bucket & { usedMb: number | null };

const MINUTES = 10;
const SUMMARY_MS = 5000;
// Records are written in batches, each half second.
const WRITTEN_MS = 700;
const NONE: readonly Sample[] = [];

/** Requests, speed and memory of one model over the last minutes. */
export function LiveCharts({ model, server }: { model: Model; server: Together | undefined }) {
  const summary = useSummary(model.model_id);
  const samples = useStore(memoryHistory, (all) => all[model.model_id] ?? NONE);
  if (summary === undefined) return <div className="drawer-charts" aria-busy="true" />;
  const points = pointsOf(summary, samples);
  const requests = points.reduce((sum, point) => sum + point.requests, 0);
  const busy = server?.active_requests ?? 0;
  if (requests === 0 && samples.length === 0 && !canStop(model))
    return <p className="quiet drawer-idle">Nothing was asked of it in the last {MINUTES} minutes.</p>;
  return (
    <section className="drawer-charts" aria-label="The last minutes">
      <Chart
        title="Requests"
        now={`${requests}${busy > 0 ? `, ${countWords(busy, "request")} being answered` : ""}`}
        span={`${MINUTES} min`}
        buckets={points}
        bars={[
          { name: "all", tone: "calm", of: (point) => point.requests },
          { name: "failed", tone: "bad", of: ({ errors }) => errors },
        ]}
        words={String}
      />
      <Chart
        title="Speed"
        now={rateWords(latest(points, ({ output_per_second }) => output_per_second))}
        span={`${MINUTES} min`}
        buckets={points}
        bars={[{ name: "tokens per second", tone: "calm", of: ({ output_per_second }) => output_per_second }]}
        words={rateWords}
      />
      <Chart
        title="Memory"
        now={memoryWords(model.status === "running" ? latest(points, ({ usedMb }) => usedMb) : null)}
        span={`${MINUTES} min`}
        buckets={points}
        lines={[{ name: "resident", tone: "second", of: ({ usedMb }) => usedMb }]}
        words={memoryWords}
      />
    </section>
  );
}

/** The figures, and anew as soon as one of its requests has ended. */
function useSummary(modelId: string): Summary | undefined {
  const client = useQueryClient();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hearNoMore = hearEvents(({ event, data }) => {
      if (event !== "activity" || timer !== undefined) return;
      if (!data.ended.some((call) => call.model_id === modelId)) return;
      timer = setTimeout(() => {
        timer = undefined;
        void client.invalidateQueries({ queryKey: ["summary", modelId] });
      }, WRITTEN_MS);
    });
    return () => {
      hearNoMore();
      clearTimeout(timer);
    };
  }, [client, modelId]);
  return useQuery({
    queryKey: ["summary", modelId],
    queryFn: ({ signal }) => api.summaryOf(modelId, MINUTES, signal),
    refetchInterval: ({ state }) => (state.error ? retryMs(state.error) : SUMMARY_MS),
  }).data;
}

function pointsOf({ buckets, bucket_seconds }: Summary, samples: readonly Sample[]): Point[] {
  const begins = buckets.map(({ at }) => Date.parse(at));
  const used = byStretch(samples, begins, bucket_seconds * 1000);
  return buckets.map((bucket, index) => ({ ...bucket, usedMb: used[index] ?? null }));
}

function latest<T>(points: T[], of: (point: T) => number | null): number | null {
  const known = points.findLast((point) => of(point) !== null);
  return known === undefined ? null : of(known);
}
