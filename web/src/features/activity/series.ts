import type { Bucket, Summary } from "./wire";

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
