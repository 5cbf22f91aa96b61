import { TableBox } from "../../../components/table-box";
import type { QueryRecord } from "../../../lib/api";
import { countWords, percentWords, secondsWords } from "../../../lib/format";
import { Fold } from "./fold";
import { notesOf, type ReviewTable, type Round, reviewTableOf, roundsOf } from "./reading";
import { Seats } from "./seats";
import "./council.css";

interface Props {
  record: QueryRecord;
  isUnfolded: boolean;
}

/** What a council's members said, round by round, up to where somebody puts it together. */
export function Council({ record, isUnfolded }: Props) {
  const rounds = roundsOf(record.turns.filter(({ role }) => role !== "synthesis"));
  return rounds.map((round) => (
    <Fold
      key={round.role}
      title={TITLES[round.role] ?? round.role}
      aside={asideOf(
        round,
        record.agreements.find((measured) => measured.round === round.round),
      )}
      notes={notesOf(record, turnsOf(round)).length}
      isOpenAtFirst={isUnfolded}
    >
      {round.role === "review" ? (
        <Reviews record={record} round={round} />
      ) : (
        <Seats record={record} label={TITLES[round.role] ?? round.role} seats={round.seats} />
      )}
      <AgreementLine record={record} round={round.round} />
    </Fold>
  ));
}

const TITLES: Partial<Record<Round["role"], string>> = {
  answer: "Answers, each on its own",
  review: "Reviews, blind",
  refine: "Refined answers",
};

const turnsOf = ({ seats }: Round) => seats.flatMap(({ turns }) => turns);

/** How many have ended, how long all of it took, and how far they agree then. */
function asideOf(round: Round, agreement: QueryRecord["agreements"][number] | undefined): string {
  const turns = turnsOf(round);
  const ends = turns.map(({ ended_seconds }) => ended_seconds);
  const ended = ends.filter((end): end is number => end != null);
  if (ended.length < turns.length)
    return `${round.seats.filter(({ turns }) => turns.at(-1)?.ended_seconds != null).length} of ${round.seats.length} done`;
  const began = Math.min(...turns.map(({ began_seconds }) => began_seconds));
  const words = [countWords(round.seats.length, "member"), secondsWords(Math.max(...ended) - began)];
  if (agreement) words.push(`agree ${percentWords(agreement.similarity)}`);
  return words.join(" · ");
}

function Reviews({ record, round }: { record: QueryRecord; round: Round }) {
  const table = reviewTableOf(record);
  return (
    <>
      {table && <Scores table={table} />}
      <Fold
        key={table ? "read" : "unread"}
        title="As they were written"
        aside={countWords(round.seats.length, "review")}
        notes={notesOf(record, turnsOf(round)).length}
        isOpenAtFirst={table === null}
      >
        <Seats record={record} label="Reviews" seats={round.seats} shape="code" />
      </Fold>
    </>
  );
}

/** Who gave whom which score. Nobody who reviewed knew whose the answers were. */
function Scores({ table: { reviewers, rows, comments } }: { table: ReviewTable }) {
  return (
    <>
      <TableBox label="Scores">
        <table className="plain-table scores">
          <thead>
            <tr>
              <th scope="col">Answer of</th>
              <th scope="col">Mean</th>
              {reviewers.map((by) => (
                <th key={by} scope="col">
                  by {by}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ member, mean, scores }) => (
              <tr key={member}>
                <th scope="row">{member}</th>
                <td>
                  <strong>{scoreWords(mean)}</strong>
                </td>
                {scores.map((score, index) => (
                  <td key={reviewers[index]}>{reviewers[index] === member ? "" : scoreWords(score)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {comments.length > 0 && (
        <ul className="comments" aria-label="What the reviewers say">
          {comments.map(({ of, by, text }) => (
            <li key={`${by} ${of}`}>
              <strong>
                {by} on {of}:
              </strong>{" "}
              {text}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const scoreWords = (score: number | null): string =>
  score === null ? "–" : String(Math.round(score * 10) / 10);

/** How far the members agree after a round. */
function AgreementLine({ record, round }: { record: QueryRecord; round: number }) {
  const agreement = record.agreements.find((measured) => measured.round === round);
  if (!agreement) return null;
  const { similarity, concordance, pairs } = agreement;
  return (
    <p className="agreement">
      <strong>Agreement</strong> in words {percentWords(similarity)}
      {concordance !== null && `, in the scores ${percentWords(concordance)}`}
      <meter min={0} max={1} value={similarity} aria-label="Agreement in words" />
      {pairs.length > 1 && (
        <small>
          {pairs.map((pair) => `${pair.members.join("–")} ${percentWords(pair.similarity)}`).join(" · ")}
        </small>
      )}
    </p>
  );
}
