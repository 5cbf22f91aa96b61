import type { QueryRecord } from "../../../lib/api";
import type { Mode } from "./kinds";
import type { Spoken } from "./record";

export type Role = Spoken["role"];
export type Note = QueryRecord["notes"][number];

/** What one member says in a round: more than one turn where somebody took its place. */
export interface Seat {
  member: string;
  turns: Spoken[];
}

export interface Round {
  role: Role;
  round: number;
  seats: Seat[];
}

/** The mode that was played: what `auto` chose. */
export const played = ({ mode, choice }: QueryRecord): Mode => choice?.mode ?? mode;

export const isOpen = ({ ended_seconds }: Spoken): boolean =>
  ended_seconds === null || ended_seconds === undefined;

/** What was said, by rounds in their order; within one by member, in the order in which they began. */
export function roundsOf(turns: readonly Spoken[]): Round[] {
  const rounds: Round[] = [];
  for (const turn of turns) {
    const { seats } = foundOr(
      rounds,
      ({ role, round }) => role === turn.role && round === turn.round,
      () => ({ role: turn.role, round: turn.round, seats: [] }),
    );
    const seat = foundOr(
      seats,
      ({ member }) => member === turn.member,
      () => ({ member: turn.member, turns: [] }),
    );
    seat.turns.push(turn);
  }
  return rounds;
}

/** The first that is meant; where there is none a new one, put at the end. */
function foundOr<T>(all: T[], isMeant: (one: T) => boolean, create: () => T): T {
  const found = all.find(isMeant);
  if (found !== undefined) return found;
  const created = create();
  all.push(created);
  return created;
}

/** The notes that are about one of these turns. */
export function notesOf({ notes }: QueryRecord, turns: readonly Spoken[]): Note[] {
  const numbers = new Set<number | null | undefined>(turns.map(({ turn }) => turn));
  return notes.filter(({ turn }) => numbers.has(turn));
}

/** The notes that are about no turn. */
export const notesOfAll = ({ notes }: QueryRecord): Note[] =>
  notes.filter(({ turn }) => turn === null || turn === undefined);

/** What is, or is to become, the whole answer. spoken: whose turn it is; null where several made it up. */
export interface Final {
  spoken: Spoken | null;
  text: string;
}

export function finalOf({ answer, turns }: QueryRecord): Final | null {
  if (answer) return { spoken: turns.find(({ turn }) => turn === answer.turn) ?? null, text: answer.text };
  const spoken = turns.findLast(({ is_answer, error }) => is_answer && !error);
  return spoken ? { spoken, text: spoken.text } : null;
}

/** The answer's turns that came before the one that holds: they failed, and somebody else took over. */
export function failedFinals(record: QueryRecord): Spoken[] {
  const final = finalOf(record)?.spoken;
  return record.turns.filter((turn) => turn.is_answer && turn !== final && turn.error);
}

/** What happens now, or how it ended, in words that change only when something else happens. */
export function phaseOf(record: QueryRecord, nameOf: (model: string) => string): string {
  switch (record.status) {
    case "done":
      return "Answered";
    case "failed":
      return "Failed";
    case "cancelled":
      return "Stopped";
    case "interrupted":
      return "Interrupted";
  }
  const open = record.turns.filter(isOpen);
  const speaks = open.at(-1);
  if (!speaks) return record.turns.length === 0 ? "Choosing who answers" : "Goes on";
  if (speaks.is_answer && speaks.role === "synthesis") return `${nameOf(speaks.model)} puts it together`;
  switch (played(record)) {
    case "council":
      return `Round ${speaks.round}: members ${{ answer: "answer", review: "review each other" }[speaks.role as string] ?? "refine their answers"}`;
    case "debate":
      return `Round ${speaks.round}: ${speaks.member} speaks`;
    case "two_stage":
      return speaks.role === "draft"
        ? `${nameOf(speaks.model)} drafts`
        : `${nameOf(speaks.model)} refines the draft`;
    default:
      return open.length > 1 ? `${open.length} models answer` : `${nameOf(speaks.model)} answers`;
  }
}

export interface ReviewRow {
  member: string;
  mean: number | null;
  /** By reviewer; null where that one has given none. */
  scores: (number | null)[];
}

export interface ReviewTable {
  reviewers: string[];
  /** The strongest first. */
  rows: ReviewRow[];
  comments: { of: string; by: string; text: string }[];
}

/** Who has given whom which score, and what was said to it; null before there is a review. */
export function reviewTableOf({ reviews, ranking, turns }: QueryRecord): ReviewTable | null {
  if (reviews.length === 0) return null;
  const reviewers = reviews.map(({ member }) => member).sort();
  const reviewed = [...new Set(reviews.flatMap(({ scores }) => scores.map(({ member }) => member)))].sort();
  const members = ranking.length > 0 ? ranking.map(({ member }) => member) : reviewed;
  const given = (by: string, of: string) =>
    reviews.find(({ member }) => member === by)?.scores.find(({ member }) => member === of)?.score ?? null;
  const rows = members.map((member) => ({
    member,
    mean: ranking.find((ranked) => ranked.member === member)?.score ?? null,
    scores: reviewers.map((by) => given(by, member)),
  }));
  const comments = reviews.flatMap((review) => {
    const letters = lettersOf(
      turns.find(({ turn }) => turn === review.turn),
      turns,
    );
    return review.scores
      .filter(({ comment }) => comment)
      .map(({ member, comment }) => ({
        of: member,
        by: review.member,
        text: unblinded(comment ?? "", letters),
      }));
  });
  return { reviewers, rows, comments };
}

const PASSAGE = /(?:^|\n)Answer ([P-W]):\n([\s\S]*?)(?=\n\nAnswer [P-W]:\n|$)/g;
const COMPARED_CHARACTERS = 120;

/** Whose the answers were that a reviewer knew by letters, as far as what it was given shows that. */
export function lettersOf(review: Spoken | undefined, turns: readonly Spoken[]): Map<string, string> {
  const letters = new Map<string, string>();
  const heard = turns.filter(({ turn }) => review?.hears.includes(turn));
  for (const [, letter = "", told = ""] of (review?.messages.at(-1)?.content ?? "").matchAll(PASSAGE)) {
    const left = heard.filter(({ member }) => ![...letters.values()].includes(member));
    const whose =
      left.find(({ text }) => text.trim() === told.trim()) ??
      left.find(({ text }) => begins(told, text.trim()));
    if (whose) letters.set(letter, whose.member);
  }
  return letters;
}

/** Whether they begin alike: the last passage runs on into what is asked, and a long one may have been cut. */
function begins(told: string, said: string): boolean {
  const count = Math.min(COMPARED_CHARACTERS, told.length, said.length);
  return told.slice(0, count) === said.slice(0, count);
}

function unblinded(text: string, letters: Map<string, string>): string {
  return text.replace(/\b(Answer|answer) ([P-W])\b/g, (whole, word: string, letter: string) => {
    const member = letters.get(letter);
    return member ? `${word} ${member}` : whole;
  });
}
