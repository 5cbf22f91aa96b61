import type { QueryRecord } from "../../../lib/api";
import { secondsWords } from "../../../lib/format";
import { roleWords, useNames } from "./names";
import { played } from "./reading";
import "./timeline.css";

/** When who spoke: a line for each member, a bar for each turn. */
export function Timeline({ record }: { record: QueryRecord }) {
  const { labelOf } = useNames();
  const { turns } = record;
  const end = Math.max(
    ...turns.map(({ began_seconds, ended_seconds }) => ended_seconds ?? began_seconds),
    0.001,
  );
  const members = [...new Set(turns.map(({ member }) => member))];
  const place = (seconds: number) => `${(100 * seconds) / end}%`;
  const roles = [...new Set(turns.map(({ role }) => role))];
  return (
    <>
      <ul className="timeline" aria-label={`Who spoke when, over ${secondsWords(end)}`}>
        {members.map((member) => (
          <li key={member}>
            <span className="timeline-member">
              {played(record) === "benchmark" ? labelOf(member) : member}
            </span>
            <span className="timeline-line">
              {turns
                .filter((turn) => turn.member === member)
                .map(({ turn, role, error, began_seconds, ended_seconds }) => {
                  const until = ended_seconds ?? end;
                  const words = `${roleWords(role)}: ${secondsWords(began_seconds)} to ${secondsWords(until)}`;
                  return (
                    <span
                      key={turn}
                      className="timeline-bar"
                      data-role={role}
                      data-failed={Boolean(error)}
                      style={{
                        insetInlineStart: place(began_seconds),
                        inlineSize: place(until - began_seconds),
                      }}
                      title={words}
                    >
                      <span className="unseen">{words}. </span>
                    </span>
                  );
                })}
            </span>
          </li>
        ))}
      </ul>
      {roles.length > 1 && (
        <p className="timeline-roles" aria-hidden>
          {roles.map((role) => (
            <span key={role}>
              <span className="timeline-bar" data-role={role} />
              {roleWords(role)}
            </span>
          ))}
        </p>
      )}
    </>
  );
}
