import { Press } from "../../components/press";
import { countWords } from "../../lib/format";
import { useDiagnosis } from "./queries";
import type { Finding } from "./wire";
import "./findings.css";

const MARKS: Record<Finding["verdict"], string> = { missing: "Missing", note: "Look", ok: "Fine" };

/** What the doctor has found: what is to be done first, what is fine folded away. */
export function Findings() {
  const { data, error, refetch, isFetching } = useDiagnosis();
  if (data === undefined)
    return <p className="section-note">{error ? error.message : "Asking the control plane…"}</p>;
  const fine = data.findings.filter(({ verdict }) => verdict === "ok");
  const open = [
    ...data.findings.filter(({ verdict }) => verdict === "missing"),
    ...data.findings.filter(({ verdict }) => verdict === "note"),
  ];
  return (
    <>
      {open.length === 0 && <p className="finding-none">Nothing is wrong.</p>}
      <FindingList findings={open} />
      <details className="findings-fine">
        <summary>{countWords(fine.length, "thing")} looked at and fine</summary>
        <FindingList findings={fine} />
      </details>
      <Press available={!isFetching} onPress={() => void refetch()}>
        LOOK AGAIN
      </Press>
    </>
  );
}

function FindingList({ findings }: { findings: Finding[] }) {
  return (
    <ul className="findings">
      {findings.map(({ subject, verdict, found, advice }) => (
        <li key={`${subject} ${found}`} data-verdict={verdict}>
          <span className="finding-mark">{MARKS[verdict]}</span>
          <span>
            <strong>{subject}</strong> {found}
            {advice !== "" && <span className="finding-advice">{advice}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
