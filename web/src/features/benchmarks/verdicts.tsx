import { TableBox } from "../../components/table-box";
import type { Verdict } from "./wire";

interface Props {
  verdicts: Verdict[];
  nameOf: (model: string) => string;
}

const PREFERENCES: Record<Verdict["forward"], string> = {
  first: "the first",
  second: "the second",
  tie: "a tie",
  unclear: "nothing clear",
};

/** What the judge said of each pair of answers, in both orders. */
export function Verdicts({ verdicts, nameOf }: Props) {
  return (
    <>
      <h3 className="section-title">What the judge said</h3>
      <TableBox label="Verdicts on this prompt">
        <table className="plain-table" aria-label="Verdicts on this prompt">
          <thead>
            <tr>
              <th scope="col">One</th>
              <th scope="col">Other</th>
              <th scope="col">Outcome</th>
              <th scope="col">With One first</th>
              <th scope="col">With Other first</th>
              <th scope="col">Its words</th>
            </tr>
          </thead>
          <tbody>
            {verdicts.map((verdict) => (
              <tr key={`${verdict.one} ${verdict.other}`}>
                <th scope="row">{nameOf(verdict.one)}</th>
                <th scope="row">{nameOf(verdict.other)}</th>
                <td>{outcomeWords(verdict, nameOf)}</td>
                <td>{PREFERENCES[verdict.forward]}</td>
                <td>{PREFERENCES[verdict.backward]}</td>
                <td className="wraps">
                  <Reasons reasons={verdict.reasons} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </>
  );
}

export function outcomeWords(
  { outcome, one, other, forward }: Verdict,
  nameOf: (model: string) => string,
): string {
  switch (outcome) {
    case "one":
      return `${nameOf(one)} wins`;
    case "other":
      return `${nameOf(other)} wins`;
    case "tie":
      return "a tie";
    case "biased":
      return `biased: ${PREFERENCES[forward]} place both times, so a tie`;
    case "unclear":
      return "unclear: no verdict could be read";
  }
}

function Reasons({ reasons }: { reasons: string[] }) {
  return (
    <details className="verdict-words">
      <summary>Show</summary>
      {reasons.map((reason, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: forward, then backward
        <p key={index}>
          <strong>{index === 0 ? "With One first: " : "With Other first: "}</strong>
          {reason || "nothing"}
        </p>
      ))}
    </details>
  );
}
