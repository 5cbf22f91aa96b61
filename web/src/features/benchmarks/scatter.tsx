import { useId, useState } from "react";
import { countWords, memoryWords } from "../../lib/format";
import { axesOf, type Column } from "./columns";
import { placeLabels, radiusOf, type Spot, ticksOf } from "./scale";
import { useWidth } from "./width";
import type { Benchmark, ModelResult } from "./wire";
import "./charts.css";

const HEIGHT = 320;
const MARGIN = { left: 58, right: 16, top: 14, bottom: 40 };
const MOST_RADIUS = 15;
// Above the greatest, so that its circle is whole.
const ROOM = 1.06;

/** Models by two of their figures; how large a circle is says how much memory. */
export function Scatter({ run }: { run: Benchmark }) {
  const axes = axesOf(run);
  const [chosen, setChosen] = useState({ across: "output_per_second", up: "" });
  const upId = chosen.up || (run.judgement ? "score" : "memory_used_mb");
  const across = axes.find(({ id }) => id === chosen.across) ?? axes[0];
  const up = axes.find(({ id }) => id === upId) ?? axes[1] ?? axes[0];
  if (across === undefined || up === undefined) return null;
  const shown = run.by_model.filter((result) => across.of(result) !== null && up.of(result) !== null);
  return (
    <figure className="bench-chart" aria-label="Models by two figures">
      <figcaption className="bench-axes">
        <AxisSelect label="Up" axes={axes} value={up} onPick={(id) => setChosen({ ...chosen, up: id })} />
        against
        <AxisSelect
          label="Across"
          axes={axes}
          value={across}
          onPick={(id) => setChosen({ ...chosen, across: id })}
        />
      </figcaption>
      {shown.length === 0 ? (
        <p className="bench-quiet">No model has both figures.</p>
      ) : (
        <Drawing results={shown} across={across} up={up} />
      )}
      <p className="bench-quiet">
        The larger a circle, the more memory.{" "}
        {run.judgement === null && "Nobody has judged the answers, so nothing here speaks of their quality."}
        {shown.length < run.by_model.length &&
          ` ${countWords(run.by_model.length - shown.length, "model")} without these figures.`}
      </p>
      <AsTable results={shown} across={across} up={up} />
    </figure>
  );
}

interface AxisSelectProps {
  label: string;
  axes: Column[];
  value: Column;
  onPick: (id: string) => void;
}

function AxisSelect({ label, axes, value, onPick }: AxisSelectProps) {
  return (
    <select aria-label={label} value={value.id} onChange={(event) => onPick(event.target.value)}>
      {axes.map(({ id, label: words }) => (
        <option key={id} value={id}>
          {words}
        </option>
      ))}
    </select>
  );
}

interface DrawnProps {
  results: ModelResult[];
  across: Column;
  up: Column;
}

function Drawing({ results, across, up }: DrawnProps) {
  const title = useId();
  const { ref, width } = useWidth<HTMLDivElement>(640);
  const inner = {
    width: Math.max(120, width - MARGIN.left - MARGIN.right),
    height: HEIGHT - MARGIN.top - MARGIN.bottom,
  };
  const ticksX = ticksOf(ROOM * Math.max(...results.map((result) => across.of(result) ?? 0)));
  const ticksY = ticksOf(ROOM * Math.max(...results.map((result) => up.of(result) ?? 0)));
  const x = (value: number) => (value / (ticksX.at(-1) ?? 1)) * inner.width;
  const y = (value: number) => inner.height - (value / (ticksY.at(-1) ?? 1)) * inner.height;
  const greatest = Math.max(0, ...results.map(({ memory_used_mb }) => memory_used_mb ?? 0));
  const spots = results.map(
    (result): Spot => ({
      x: x(across.of(result) ?? 0),
      y: y(up.of(result) ?? 0),
      radius: radiusOf(result.memory_used_mb, greatest, MOST_RADIUS),
      words: result.display_name,
    }),
  );
  return (
    <div ref={ref}>
      <svg width="100%" height={HEIGHT} role="img" aria-labelledby={title}>
        <title
          id={title}
        >{`${up.label} against ${across.label}, a circle for each model; the table below has the figures`}</title>
        <g transform={`translate(${MARGIN.left} ${MARGIN.top})`}>
          <Axes ticksX={ticksX} ticksY={ticksY} x={x} y={y} across={across} up={up} {...inner} />
          {spots.map((spot, index) => (
            <Circle key={results[index]?.model} spot={spot} />
          ))}
          <Names spots={spots} {...inner} />
        </g>
      </svg>
    </div>
  );
}

interface AxesProps {
  ticksX: number[];
  ticksY: number[];
  x: (value: number) => number;
  y: (value: number) => number;
  across: Column;
  up: Column;
  width: number;
  height: number;
}

function Axes({ ticksX, ticksY, x, y, across, up, width, height }: AxesProps) {
  // On a phone every second mark is enough.
  const sparse = width < 360 ? ticksX.filter((_, index) => index % 2 === 0) : ticksX;
  return (
    <>
      {ticksY.map((tick) => (
        <g key={tick} className="axis">
          <line x1={0} x2={width} y1={y(tick)} y2={y(tick)} />
          <text x={-7} y={y(tick) + 4} textAnchor="end">
            {up.words(tick)}
          </text>
        </g>
      ))}
      {sparse.map((tick) => (
        <g key={tick} className="axis">
          <line x1={x(tick)} x2={x(tick)} y1={height} y2={height + 4} />
          <text x={x(tick)} y={height + 17} textAnchor={tick === ticksX.at(-1) ? "end" : "middle"}>
            {across.words(tick)}
          </text>
        </g>
      ))}
      <text className="axis-title" x={width} y={height + 34} textAnchor="end">
        {across.label} →
      </text>
      <text className="axis-title" x={4} y={-3}>
        ↑ {up.label}
      </text>
    </>
  );
}

function Circle({ spot: { x, y, radius } }: { spot: Spot }) {
  return <circle className="spot" cx={x} cy={y} r={radius} />;
}

function Names({ spots, width, height }: { spots: Spot[]; width: number; height: number }) {
  const labels = placeLabels(spots, width, height);
  return spots.map(({ words }, index) => {
    const label = labels[index];
    return (
      label && (
        // biome-ignore lint/suspicious/noArrayIndexKey: two models may be called the same
        <text key={index} className="spot-name" x={label.x} y={label.y} textAnchor={label.anchor}>
          {words}
        </text>
      )
    );
  });
}

/** What is drawn, for those who cannot see it or want it exactly. */
function AsTable({ results, across, up }: DrawnProps) {
  const words = (column: Column, result: ModelResult) => {
    const value = column.of(result);
    return value === null ? "–" : column.words(value);
  };
  return (
    <details className="bench-figures">
      <summary>These figures as a table</summary>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">{up.label}</th>
            <th scope="col">{across.label}</th>
            <th scope="col">Memory</th>
          </tr>
        </thead>
        <tbody>
          {results.map((result) => (
            <tr key={result.model}>
              <th scope="row">{result.display_name}</th>
              <td>{words(up, result)}</td>
              <td>{words(across, result)}</td>
              <td>{memoryWords(result.memory_used_mb)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
