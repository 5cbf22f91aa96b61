import type { Spread } from "./wire";
import "./range.css";

interface RangeProps {
  spread: Spread;
  /** Where the scale ends; it begins at 0. */
  top: number;
}

/** How much a figure varies: thin from the least to the most, thick from p10 to p90, a mark at the median. */
export function Range({ spread, top }: RangeProps) {
  const place = (value: number) => (top > 0 ? (100 * value) / top : 0);
  const { minimum, p10, median, p90, maximum } = spread;
  return (
    <svg
      className="range"
      viewBox="0 0 100 10"
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <rect className="range-ground" width={100} y={4} height={2} />
      <rect className="range-all" x={place(minimum)} width={place(maximum - minimum)} y={4} height={2} />
      <rect className="range-most" x={place(p10)} width={place(p90 - p10)} y={2} height={6} />
      <line className="range-median" x1={place(median)} x2={place(median)} y1={0} y2={10} />
    </svg>
  );
}

/** The same in words, for a title and for screen readers. */
export function rangeWords(
  { count, minimum, maximum, p10, p90 }: Spread,
  words: (value: number) => string,
): string {
  if (count === 1) return "one measurement";
  return `${words(minimum)} to ${words(maximum)}; 10th to 90th percentile ${words(p10)} to ${words(p90)}, of ${count}`;
}
