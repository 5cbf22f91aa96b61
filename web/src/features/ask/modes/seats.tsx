import { useState, useSyncExternalStore } from "react";
import { Tabs } from "../../../components/tabs";
import type { QueryRecord } from "../../../lib/api";
import { useNames } from "./names";
import { isOpen, played, type Seat } from "./reading";
import { Speech } from "./speech";
import "./seats.css";

interface Props {
  record: QueryRecord;
  label: string;
  seats: Seat[];
  shape?: "text" | "code";
}

/** Several who speak at the same time: side by side, or on a narrow screen one behind the other. */
export function Seats({ record, label, seats, shape = "text" }: Props) {
  const isNarrow = useNarrow();
  const [picked, setPicked] = useState<string | null>(null);
  const { labelOf } = useNames();
  const shown = seats.find(({ member }) => member === picked) ?? seats[0];
  if (!isNarrow || !shown || seats.length === 1)
    return (
      <div className="seats" data-count={seats.length}>
        {seats.map(({ member, turns }) => (
          <Speech key={member} record={record} turns={turns} shape={shape} />
        ))}
      </div>
    );
  const tabs = seats.map(({ member, turns }) => {
    const turn = turns.at(-1);
    const mark = turn && isOpen(turn) && record.status === "running" ? " …" : turn?.error ? " ✕" : "";
    const name = played(record) === "council" ? member : labelOf(turn?.model ?? member);
    return { value: member, label: `${name}${mark}` };
  });
  return (
    <Tabs label={label} value={shown.member} tabs={tabs} onPick={setPicked}>
      <Speech record={record} turns={shown.turns} shape={shape} />
    </Tabs>
  );
}

const NARROW = "(width < 52rem)";

function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(NARROW);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => matchMedia(NARROW).matches,
  );
}
