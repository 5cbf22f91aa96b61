import type { Figures, QueryRecord } from "../../../lib/api";
import { recordAfter, type Spoken, type Step } from "./record";

export const FIGURES: Figures = {
  model_id: "smol",
  server_id: "smol",
  queue_seconds: 0,
  load_seconds: 0,
  first_token_seconds: 0.25,
  total_seconds: 1.5,
  prompt_tokens: 20,
  cached_tokens: 0,
  output_tokens: 12,
  prompt_per_second: 400,
  output_per_second: 41.25,
  finish_reason: "stop",
};

export const begun = (of: Partial<Step & { event: "begun" }>["data"] | object = {}): Step => ({
  event: "begun",
  data: {
    id: 7,
    mode: "council",
    query: "Why?",
    began_at: new Date().toISOString(),
    models: [],
    options: {},
    history: [],
    ...of,
  },
});

export const turn = (number: number, of: Partial<Spoken> = {}): Step => ({
  event: "turn",
  data: {
    turn: number,
    member: "A",
    role: "answer",
    round: 1,
    model: "smol",
    hears: [],
    messages: [{ role: "user", content: "Why?" }],
    is_answer: false,
    began_seconds: 0,
    ...of,
  },
});

export const text = (number: number, words: string): Step => ({
  event: "text",
  data: { turn: number, text: words, thinking: "" },
});

export const said = (number: number, words: string, of: Partial<Spoken> = {}): Step => ({
  event: "said",
  data: {
    turn: number,
    text: words,
    thinking: "",
    figures: FIGURES,
    error: null,
    ...of,
    ended_seconds: of.ended_seconds ?? 1,
  },
});

export const done = (of: Partial<Extract<Step, { event: "done" }>["data"]> = {}): Step => ({
  event: "done",
  data: {
    status: "done",
    problem: null,
    usage: { prompt_tokens: 20, cached_tokens: 0, output_tokens: 12 },
    total_seconds: 2,
    model_seconds: 1.5,
    ...of,
  },
});

export function recordOf(...steps: Step[]): QueryRecord {
  const record = steps.reduce(recordAfter, null as QueryRecord | null);
  if (!record) throw new Error("the first step is `begun`");
  return record;
}

/** As the control plane writes it. */
export const framed = ({ event, data }: Step): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
