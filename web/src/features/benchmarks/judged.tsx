import { TableBox } from "../../components/table-box";
import { percentWords } from "../../lib/format";
import type { Judgement, ModelResult } from "./wire";
import "./judged.css";

interface Props {
  judgement: Judgement;
  results: ModelResult[];
  nameOf: (model: string) => string;
}

/** How the models stand by the judge's word, and how far that can be trusted. */
export function Judged({ judgement, results, nameOf }: Props) {
  const { judge, comparisons, first_place_share: share } = judgement;
  const standings = results
    .filter(({ standing }) => standing !== null)
    .sort((a, b) => (b.standing?.score ?? -1) - (a.standing?.score ?? -1));
  const biased = comparisons.filter(({ outcome }) => outcome === "biased").length;
  return (
    <section className="judged" aria-label="Judgements">
      <h2 className="section-title">Judged by {nameOf(judge)}</h2>
      {standings.length > 0 && (
        <TableBox label="Standings">
          <table className="plain-table" aria-label="Standings">
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col">Score</th>
                <th scope="col">Won</th>
                <th scope="col">Tied</th>
                <th scope="col">Lost</th>
                <th scope="col">Unclear</th>
              </tr>
            </thead>
            <tbody>
              {standings.map(({ model, display_name, standing }) => (
                <tr key={model}>
                  <th scope="row">{display_name}</th>
                  <td>{standing?.score?.toFixed(2) ?? "–"}</td>
                  <td>{standing?.wins}</td>
                  <td>{standing?.ties}</td>
                  <td>{standing?.losses}</td>
                  <td>{standing?.unclear}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      {comparisons.length === 0 ? (
        <p className="section-note">It has compared nothing.</p>
      ) : (
        <p className="judged-bias">
          {share === null ? (
            "It has preferred no answer."
          ) : (
            <>
              <Bias share={share} />
              <span>
                Of its choices, {percentWords(share)} went to the answer that was shown first; 50 % shows no
                bias. In {biased} of {comparisons.length} pairs it chose the same place in both orders, which
                counts as a tie.
              </span>
            </>
          )}
        </p>
      )}
    </section>
  );
}

/** From all second to all first, with a mark in the middle where there is no bias. */
function Bias({ share }: { share: number }) {
  const [from, to] = [Math.min(share, 0.5), Math.max(share, 0.5)].map((of) => of * 100) as [number, number];
  return (
    <svg
      className="bias"
      viewBox="0 0 100 12"
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <rect className="bias-ground" width={100} y={5} height={2} />
      <rect className="bias-share" x={from} width={to - from} y={3} height={6} />
      <line className="bias-fair" x1={50} x2={50} y1={0} y2={12} />
      <line className="bias-mark" x1={share * 100} x2={share * 100} y1={1} y2={11} />
    </svg>
  );
}
