import type { Bucket, Summary } from "./wire";

/** Points of a line, in the chart's own units; a gap where nothing is known. */
export function linePath(values: (number | null)[], most: number, height: number): string {
  let pen = "M";
  return values
    .map((value, index) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const y = most > 0 ? height - (value / most) * height : height;
      // A point with no neighbour is a short line, else it could not be seen.
      const isAlone = pen === "M" && (values[index + 1] ?? null) === null;
      const point = `${pen}${index + 0.5} ${round(y)}${isAlone ? "h0.6" : ""}`;
      pen = "L";
      return point;
    })
    .join("");
}

/** The top of a chart's scale: 1, 2 or 5 times a power of ten, never below the greatest value. */
export function topOf(values: (number | null)[]): number {
  const greatest = Math.max(0, ...values.map((value) => value ?? 0));
  if (greatest === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(greatest));
  return ([1, 2, 5, 10].find((step) => step * power >= greatest) ?? 10) * power;
}

/** Sums and weighted means of all buckets. `null` where nothing was measured. */
export function totalsOf({ buckets }: Summary) {
  return {
    requests: sum(buckets, ({ requests }) => requests),
    errors: sum(buckets, ({ errors }) => errors),
    outputTokens: sum(buckets, ({ output_tokens }) => output_tokens),
    firstByteSeconds: mean(
      buckets,
      ({ first_byte_seconds }) => first_byte_seconds,
      ({ requests }) => requests,
    ),
    outputPerSecond: mean(
      buckets,
      ({ output_per_second }) => output_per_second,
      ({ output_tokens }) => output_tokens,
    ),
  };
}

export function secondsWords(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export function rateWords(perSecond: number | null): string {
  if (perSecond === null) return "–";
  return `${perSecond >= 100 ? Math.round(perSecond) : perSecond.toFixed(1)} t/s`;
}

/** The time of day; with the date where it was another day. */
export function timeWords(at: string, now = new Date()): string {
  const time = new Date(at);
  const clock = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return time.toDateString() === now.toDateString() ? clock : `${time.toLocaleDateString()} ${clock}`;
}

function sum(buckets: Bucket[], of: (bucket: Bucket) => number): number {
  return buckets.reduce((total, bucket) => total + of(bucket), 0);
}

function mean(
  buckets: Bucket[],
  of: (bucket: Bucket) => number | null,
  weightOf: (bucket: Bucket) => number,
): number | null {
  const known = buckets.filter((bucket) => of(bucket) !== null && weightOf(bucket) > 0);
  if (known.length === 0) return null;
  return sum(known, (bucket) => (of(bucket) ?? 0) * weightOf(bucket)) / sum(known, weightOf);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
