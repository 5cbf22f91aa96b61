import type { QueryRecord } from "../../../lib/api";
import { type Role, roundsOf } from "./reading";
import { Speech } from "./speech";
import "./debate.css";

const ENDINGS: Record<NonNullable<QueryRecord["ending"]>["reason"], string> = {
  concession: "gives up its case",
  repetition: "repeats itself",
  disengagement: "takes no more part",
  turn_limit: "The limit is reached",
  failure: "cannot go on",
};

const TONES: Partial<Record<Role, "pro" | "con">> = { pro: "pro", con: "con" };

/** What both sides said to each other, in turns, and why that ended. */
export function Debate({ record }: { record: QueryRecord }) {
  const said = roundsOf(record.turns.filter(({ role }) => role !== "synthesis"));
  const { ending } = record;
  return (
    <>
      <ol className="debate" aria-label="Debate">
        {said.flatMap(({ role, round, seats }) =>
          seats.map(({ member, turns }) => (
            <li key={`${round} ${member}`} data-side={TONES[role] ?? "neutral"}>
              <Speech record={record} turns={turns} tone={TONES[role] ?? "neutral"} />
            </li>
          )),
        )}
      </ol>
      {ending && (
        <p className="debate-ending">
          <strong>
            {ending.member && ending.reason !== "turn_limit"
              ? `${ending.member} ${ENDINGS[ending.reason]}`
              : ENDINGS[ending.reason]}
            .
          </strong>{" "}
          {ending.why}
        </p>
      )}
    </>
  );
}
