import { Fragment } from "react";
import { Press } from "../../components/press";
import { TableBox } from "../../components/table-box";
import { timeWords } from "../../lib/format";
import { go, Link } from "../../lib/router";
import {
  byModel,
  MEASURES,
  type Measure,
  placeOf,
  ratioWords,
  reachOf,
  VERDICTS,
  verdictOf,
} from "./comparison";
import { useCompared } from "./runs";
import { Waiting } from "./waiting";
import type { Brief, Compared, Comparison, Ratio } from "./wire";
import { mannerWords, titleOf } from "./words";
import "./compare.css";

interface Props {
  a: number;
  b: number;
  nameOf: (model: string) => string;
}

/** Two runs: how much the second differs from the first, and whether it may be chance. */
export function CompareView({ a, b, nameOf }: Props) {
  const { data, error } = useCompared(a, b);
  return (
    <>
      <header className="bench-head">
        <Link className="bench-link" to="benchmarks">
          All runs
        </Link>
        <h1>Two runs compared</h1>
      </header>
      {data === undefined ? <Waiting error={error} /> : <Both compared={data} nameOf={nameOf} />}
    </>
  );
}

function Both({ compared, nameOf }: { compared: Comparison; nameOf: Props["nameOf"] }) {
  const { a, b } = compared;
  const models = byModel(compared.compared);
  const reach = reachOf(compared.compared);
  return (
    <>
      <div className="compare-runs">
        <RunWords mark="A" run={a} nameOf={nameOf} />
        <RunWords mark="B" run={b} nameOf={nameOf} />
        <Press available onPress={() => go("benchmarks", { a: String(b.id), b: String(a.id) })}>
          SWAP
        </Press>
      </div>
      <Differences compared={compared} nameOf={nameOf} />
      {models.length === 0 ? (
        <p className="section-note">No model is in both.</p>
      ) : (
        <>
          <p className="section-note">
            B divided by A. A ratio is called faster or slower only where its whole range, from the 10th and
            90th percentiles of both, lies on one side of 1.
          </p>
          <TableBox label="B divided by A">
            <table className="plain-table figure-table compare-table" aria-label="B divided by A">
              <thead>
                <tr>
                  <th scope="col">Model, prompt</th>
                  {MEASURES.map(({ id, label }) => (
                    <th key={id} scope="col">
                      {label}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {models.map(({ model, all, prompts }) => (
                  <Fragment key={model}>
                    <Row compared={all} name={nameOf(model)} reach={reach} isWhole />
                    {prompts.length > 1 &&
                      prompts.map((each) => (
                        <Row key={each.prompt} compared={each} name={each.prompt ?? ""} reach={reach} />
                      ))}
                  </Fragment>
                ))}
              </tbody>
            </table>
          </TableBox>
        </>
      )}
    </>
  );
}

function RunWords({ mark, run, nameOf }: { mark: string; run: Brief; nameOf: Props["nameOf"] }) {
  return (
    <p>
      <strong>{mark}</strong>{" "}
      <Link className="bench-link" to="benchmarks" query={{ run: String(run.id) }}>
        {titleOf(run)}
      </Link>
      <small className="bench-quiet">
        {timeWords(run.created_at)}, {mannerWords(run, nameOf)}
      </small>
    </p>
  );
}

/** What else is not the same. */
function Differences({ compared, nameOf }: { compared: Comparison; nameOf: Props["nameOf"] }) {
  const only = (names: string[], where: string) =>
    names.length > 0 ? [`Only in ${where}: ${names.map(nameOf).join(", ")}.`] : [];
  const lines = [
    ...compared.differences.map((difference) => `Not the same in A and B: ${difference}.`),
    ...only(compared.models_only_in_a, "A"),
    ...only(compared.models_only_in_b, "B"),
    ...only(compared.prompts_only_in_a, "A"),
    ...only(compared.prompts_only_in_b, "B"),
  ];
  if (lines.length === 0) return <p className="section-note">Both were done under the same conditions.</p>;
  return (
    <ul className="compare-differences" aria-label="Differences">
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}

interface RowProps {
  compared: Compared;
  name: string;
  reach: number;
  isWhole?: boolean;
}

function Row({ compared: { ratios }, name, reach, isWhole = false }: RowProps) {
  return (
    <tr data-whole={isWhole}>
      <th scope="row">{name}</th>
      {MEASURES.map((measure) => {
        const ratio = ratios[measure.id];
        return ratio === null ? (
          <td key={measure.id}>–</td>
        ) : (
          <RatioCell key={measure.id} ratio={ratio} measure={measure} reach={reach} />
        );
      })}
    </tr>
  );
}

function RatioCell({ ratio, measure, reach }: { ratio: Ratio; measure: Measure; reach: number }) {
  const verdict = verdictOf(ratio, measure);
  const [low, high, middle] = [ratio.low, ratio.high, ratio.ratio].map((of) => placeOf(of, reach)) as [
    number,
    number,
    number,
  ];
  return (
    <td>
      <span className="ratio" data-verdict={verdict}>
        {ratioWords(ratio.ratio)} <small>{VERDICTS[verdict]}</small>
      </span>
      <svg
        className="ratio-range"
        viewBox="0 0 100 10"
        preserveAspectRatio="none"
        aria-hidden="true"
        focusable="false"
      >
        <rect className="range-ground" width={100} y={4} height={2} />
        <line className="ratio-same" x1={50} x2={50} y1={0} y2={10} />
        <rect className="ratio-spread" data-verdict={verdict} x={low} width={high - low} y={2.5} height={5} />
        <line className="range-median" x1={middle} x2={middle} y1={0} y2={10} />
      </svg>
      <small className="bench-quiet">
        {ratioWords(ratio.low)} to {ratioWords(ratio.high)}
      </small>
    </td>
  );
}
