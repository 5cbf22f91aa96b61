import { linePath, rateWords, secondsWords, timeWords, topOf, totalsOf } from "./series";
import type { Bucket, Summary } from "./wire";
import "./charts.css";

const HEIGHT = 40;

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
        buckets={buckets}
        lines={[{ name: "mean", tone: "calm", of: ({ output_per_second }) => output_per_second }]}
        words={rateWords}
      />
      <Figures buckets={buckets} />
    </section>
  );
}

interface Series {
  name: string;
  tone: "calm" | "second" | "bad";
  of: (bucket: Bucket) => number | null;
}

interface ChartProps {
  title: string;
  now: string;
  buckets: Bucket[];
  bars?: Series[];
  lines?: Series[];
  words: (value: number) => string;
}

function Chart({ title, now, buckets, bars = [], lines = [], words }: ChartProps) {
  const series = [...bars, ...lines];
  const most = topOf(series.flatMap(({ of }) => buckets.map(of)));
  const scaled = (value: number) => (value / most) * HEIGHT;
  return (
    <figure className="chart">
      <figcaption>
        <span className="chart-title">{title}</span> <strong>{now}</strong>
        {series.length > 1 && (
          <span className="chart-legend">
            {series.map(({ name, tone }) => (
              <span key={name} data-tone={tone}>
                {name}
              </span>
            ))}
          </span>
        )}
      </figcaption>
      <span className="chart-top">{words(most)}</span>
      <svg
        viewBox={`0 0 ${Math.max(1, buckets.length)} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}, the last hour: ${now}`}
      >
        {bars.map(({ name, tone, of }) =>
          buckets.map((bucket, index) => (
            <rect
              key={`${name} ${bucket.at}`}
              data-tone={tone}
              x={index + 0.15}
              width={0.7}
              y={HEIGHT - scaled(of(bucket) ?? 0)}
              height={scaled(of(bucket) ?? 0)}
            />
          )),
        )}
        {lines.map(({ name, tone, of }) => (
          <path key={name} data-tone={tone} d={linePath(buckets.map(of), most, HEIGHT)} />
        ))}
        {buckets.map((bucket, index) => (
          <rect key={bucket.at} className="chart-spot" x={index} width={1} height={HEIGHT}>
            <title>{spotWords(bucket, series, words)}</title>
          </rect>
        ))}
      </svg>
      <span className="chart-ends">
        <span>1 h ago</span>
        <span>now</span>
      </span>
    </figure>
  );
}

function spotWords(bucket: Bucket, series: Series[], words: (value: number) => string): string {
  const values = series.map(({ name, of }) => {
    const value = of(bucket);
    return `${name} ${value === null ? "–" : words(value)}`;
  });
  return `${timeWords(bucket.at)}: ${values.join(", ")}`;
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
