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

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
