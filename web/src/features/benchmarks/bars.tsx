import { useState } from "react";
import { columnsOf, ordered, topOfColumn } from "./columns";
import { rangeWords } from "./range";
import type { Benchmark, ModelResult, Spread } from "./wire";
import "./charts.css";

/** One figure of every model as bars, best first, with how much it varies. */
export function Bars({ run }: { run: Benchmark }) {
  const columns = columnsOf(run).filter(({ of }) => run.by_model.some((result) => of(result) !== null));
  const [chosen, setChosen] = useState("output_per_second");
  const column = columns.find(({ id }) => id === chosen) ?? columns[0];
  if (column === undefined) return null;
  const shown = ordered(run.by_model, column, column.better !== "less").filter(
    (result) => column.of(result) !== null,
  );
  const top = topOfColumn(shown, column);
  return (
    <figure className="bench-chart" aria-label="Models by one figure">
      <figcaption className="bar">
        <select aria-label="Figure" value={column.id} onChange={(event) => setChosen(event.target.value)}>
          {columns.map(({ id, label }) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
        <span className="bench-quiet">
          {column.hint}
          {column.better === "less" && "; less is better"}
        </span>
      </figcaption>
      <ul className="bars">
        {shown.map((result) => (
          <li key={result.model}>
            <span className="bars-name">{result.display_name}</span>
            <BarOf value={column.of(result) ?? 0} spread={column.spreadOf(result)} top={top} />
            <span className="bars-value" title={spreadTitle(result, column.spreadOf, column.words)}>
              {column.words(column.of(result) ?? 0)}
            </span>
          </li>
        ))}
      </ul>
    </figure>
  );
}

function spreadTitle(
  result: ModelResult,
  spreadOf: (result: ModelResult) => Spread | null,
  words: (value: number) => string,
): string | undefined {
  const spread = spreadOf(result);
  return spread ? rangeWords(spread, words) : undefined;
}

/** A bar to the median, with a whisker from the least to the most and a box from p10 to p90. */
function BarOf({ value, spread, top }: { value: number; spread: Spread | null; top: number }) {
  const place = (of: number) => (top > 0 ? (100 * of) / top : 0);
  return (
    <svg
      className="bars-bar"
      viewBox="0 0 100 20"
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <rect className="bars-fill" width={place(value)} y={1} height={18} />
      {spread && spread.count > 1 && (
        <>
          <rect
            className="bars-box"
            x={place(spread.p10)}
            width={place(spread.p90 - spread.p10)}
            y={6}
            height={8}
          />
          <path className="bars-whisker" d={whisker(place(spread.minimum), place(spread.maximum))} />
        </>
      )}
    </svg>
  );
}

/** From one to the other, with a stroke across each end. */
function whisker(from: number, to: number): string {
  return `M${from} 5V15M${from} 10H${to}M${to} 5V15`;
}
