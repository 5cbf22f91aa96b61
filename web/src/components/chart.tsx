import { timeWords } from "../lib/format";
import { linePath, topOf } from "./plot";
import "./chart.css";

const HEIGHT = 40;

/** A stretch of time, by when it begins. */
interface Stretch {
  at: string;
}

interface Series<T extends Stretch> {
  name: string;
  tone: "calm" | "second" | "bad";
  of: (stretch: T) => number | null;
}

interface ChartProps<T extends Stretch> {
  title: string;
  now: string;
  /** How far back it goes, in words: `1 h`. */
  span: string;
  buckets: T[];
  bars?: Series<T>[];
  lines?: Series<T>[];
  words: (value: number) => string;
}

/** What has come about in the last minutes or hours, as bars, as lines, or as both. */
export function Chart<T extends Stretch>({
  title,
  now,
  span,
  buckets,
  bars = [],
  lines = [],
  words,
}: ChartProps<T>) {
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
        aria-label={`${title}, the last ${span}: ${now}`}
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
        <span>{span} ago</span>
        <span>now</span>
      </span>
    </figure>
  );
}

function spotWords<T extends Stretch>(
  bucket: T,
  series: Series<T>[],
  words: (value: number) => string,
): string {
  const values = series.map(({ name, of }) => {
    const value = of(bucket);
    return `${name} ${value === null ? "–" : words(value)}`;
  });
  return `${timeWords(bucket.at)}: ${values.join(", ")}`;
}
