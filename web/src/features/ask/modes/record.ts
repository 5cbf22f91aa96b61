import type { QueryEvents, QueryRecord } from "../../../lib/api";

/** One event of a query's stream, by its name. */
export type Step = {
  [Name in keyof QueryEvents]: { event: Name; data: QueryEvents[Name] };
}[keyof QueryEvents];
export type Spoken = QueryRecord["turns"][number];

/** The record after one more step, the first of which is `begun`. What a step does not touch stays the same object. */
export function recordAfter(record: QueryRecord | null, { event, data }: Step): QueryRecord | null {
  if (event === "begun") return begun(data);
  if (!record) return null;
  switch (event) {
    case "choice":
    case "ending":
    case "answer":
      return { ...record, [event]: data };
    case "cast":
      return { ...record, players: data.players };
    case "note":
      return { ...record, notes: [...record.notes, data] };
    case "review":
      return { ...record, reviews: [...record.reviews, data] };
    case "agreement":
      return { ...record, agreements: [...record.agreements, data] };
    case "ranking":
      return { ...record, ranking: data.members };
    case "turn":
      return { ...record, turns: [...record.turns, { ...data, text: "", thinking: "" }] };
    case "text":
      return withTurn(record, data.turn, (turn) => ({
        ...turn,
        text: turn.text + (data.text ?? ""),
        thinking: turn.thinking + (data.thinking ?? ""),
      }));
    case "said":
      return withTurn(record, data.turn, (turn) => ({ ...turn, ...data }));
    case "done":
      return { ...record, ...data };
    default:
      return record;
  }
}

/** As it is left where nothing more is heard of it. */
export const brokenOff = (record: QueryRecord): QueryRecord =>
  record.status === "running" ? { ...record, status: "interrupted" } : record;

function begun(data: QueryEvents["begun"]): QueryRecord {
  return {
    ...data,
    history: data.history as QueryRecord["history"],
    status: "running",
    problem: null,
    choice: null,
    players: [],
    turns: [],
    notes: [],
    reviews: [],
    ranking: [],
    agreements: [],
    ending: null,
    answer: null,
    usage: { prompt_tokens: 0, cached_tokens: 0, output_tokens: 0 },
    total_seconds: null,
    model_seconds: null,
  };
}

function withTurn(record: QueryRecord, number: number, change: (turn: Spoken) => Spoken): QueryRecord {
  const turns = record.turns.map((turn) => (turn.turn === number ? change(turn) : turn));
  return { ...record, turns };
}
