import { Chart } from "../../components/chart";
import { rateWords, secondsWords, timeWords } from "../../lib/format";
import { totalsOf } from "./series";
import type { Bucket, Summary } from "./wire";

/** The last hour, drawn; and the same figures as a table. */
export function Charts({ summary }: { summary: Summary }) {
  const { buckets } = summary;
  const totals = totalsOf(summary);
  const failed = totals.errors > 0 ? `, ${totals.errors} failed` : "";
  return (
    <section className="charts" aria-label="The last hour">
      <Chart
        title="Requests"
        now={`${totals.requests}${failed}`}
        span="1 h"
        buckets={buckets}
        bars={[
          { name: "all", tone: "calm", of: ({ requests }) => requests },
          { name: "failed", tone: "bad", of: ({ errors }) => errors },
        ]}
        words={String}
      />
      <Chart
        title="First byte after"
        now={secondsWords(totals.firstByteSeconds)}
        span="1 h"
        buckets={buckets}
        lines={[
          { name: "mean", tone: "calm", of: ({ first_byte_seconds }) => first_byte_seconds },
          {
            name: "95th percentile",
            tone: "second",
            of: ({ first_byte_p95_seconds }) => first_byte_p95_seconds,
          },
        ]}
        words={secondsWords}
      />
      <Chart
        title="Speed of answers"
        now={rateWords(totals.outputPerSecond)}
        span="1 h"
        buckets={buckets}
        lines={[{ name: "mean", tone: "calm", of: ({ output_per_second }) => output_per_second }]}
        words={rateWords}
      />
      <Figures buckets={buckets} />
    </section>
  );
}

/** The charts' figures for those who cannot see them, or want them exactly. */
function Figures({ buckets }: { buckets: Bucket[] }) {
  const busy = buckets.filter(({ requests }) => requests > 0).reverse();
  return (
    <details className="figures">
      <summary>These figures as a table</summary>
      {busy.length === 0 ? (
        <p>No request in the last hour.</p>
      ) : (
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">Requests</th>
              <th scope="col">Failed</th>
              <th scope="col">First byte, mean</th>
              <th scope="col">95th percentile</th>
              <th scope="col">Speed</th>
            </tr>
          </thead>
          <tbody>
            {busy.map((bucket) => (
              <tr key={bucket.at}>
                <th scope="row">{timeWords(bucket.at)}</th>
                <td>{bucket.requests}</td>
                <td>{bucket.errors}</td>
                <td>{secondsWords(bucket.first_byte_seconds)}</td>
                <td>{secondsWords(bucket.first_byte_p95_seconds)}</td>
                <td>{rateWords(bucket.output_per_second)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}
