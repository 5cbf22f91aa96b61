import { askedAs, type Mode, type Plan } from "./modes/kinds";

/** How fast an answer came. firstTokenSeconds: from the sending of the question, waiting and loading included. */
export interface Speed {
  tokens: number;
  tokensPerSecond: number | null;
  firstTokenSeconds: number | null;
}

/** Why there is no answer, or only a part of one, and what to do next. */
export interface Failure {
  error: string;
  detail: string;
  next: string;
}

export interface Answer {
  /** The name that was asked: a model's, a tier's, a variant's. */
  model: string;
  text: string;
  thinking: string;
  state: "asking" | "whole" | "stopped" | "failed";
  /** What the control plane says while the model loads. */
  news: string | null;
  /** Ended by the limit of tokens. */
  cut: boolean;
  speed: Speed | null;
  failure: Failure | null;
}

export interface Turn {
  id: string;
  question: string;
  /** Data URLs. */
  images: string[];
  /** One for each column. */
  answers: Answer[];
  /** Where a mode of several models answers, which then is the one column. */
  plan?: TurnPlan;
}

/** How a mode was asked; queryId: the control plane's record of it, null until there is one. */
export interface TurnPlan extends Plan {
  queryId: number | null;
}

/** Names as llama-server has them. What is absent is the model's own choice. */
export type Sampling = Partial<Record<"temperature" | "top_p" | "top_k" | "min_p" | "max_tokens", number>>;

export interface Conversation {
  id: string;
  title: string;
  /** Whom each column asks, one or two; empty before the first question: whoever is at hand. */
  models: string[];
  system: string;
  sampling: Sampling;
  /** What answers the next question, where that is a mode of several models. */
  mode?: Mode;
  /** What was last chosen of each mode. */
  plans?: Partial<Record<Mode, Plan>>;
  turns: Turn[];
  /** When it was last changed, in ms since 1970. */
  changedMs: number;
}

export type Message =
  | { role: "system" | "assistant"; content: string }
  | { role: "user"; content: string | ContentPart[] };

type ContentPart = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

const TITLE_CHARACTERS = 60;
const UNTITLED = "New conversation";

export function newConversation(of: Partial<Conversation> = {}): Conversation {
  return {
    id: newId(),
    title: UNTITLED,
    models: [],
    system: "",
    sampling: {},
    turns: [],
    changedMs: Date.now(),
    ...of,
  };
}

export function newAnswer(model: string): Answer {
  return {
    model,
    text: "",
    thinking: "",
    state: "asking",
    news: null,
    cut: false,
    speed: null,
    failure: null,
  };
}

/** With one more question, to be answered by each of the models. The first one gives the title. */
export function withQuestion(
  conversation: Conversation,
  models: string[],
  question: string,
  images: string[],
): Conversation {
  const turn: Turn = { id: newId(), question, images, answers: models.map(newAnswer) };
  const title = conversation.title === UNTITLED ? titleOf(question) : conversation.title;
  return { ...conversation, title, models, turns: [...conversation.turns, turn] };
}

/** With one more question, to be answered by a mode, which the next ones go to as well. */
export function withQuery(conversation: Conversation, plan: Plan, question: string): Conversation {
  const { models } = conversation;
  const asked = withQuestion(conversation, [askedAs(plan.mode)], question, []);
  const turns = asked.turns.map((turn) =>
    turn === asked.turns.at(-1) ? { ...turn, plan: { ...plan, queryId: null } } : turn,
  );
  return { ...asked, models, mode: plan.mode, turns };
}

export function withPlan(
  conversation: Conversation,
  turnId: string,
  plan: TurnPlan | undefined,
): Conversation {
  const turns = conversation.turns.map(({ plan: before, ...turn }) => {
    const now = turn.id === turnId ? plan : before;
    return now === undefined ? turn : { ...turn, plan: now };
  });
  return { ...conversation, turns };
}

/** As it was before the turn, and without all that followed. */
export function upTo(conversation: Conversation, turnId: string): Conversation {
  const index = conversation.turns.findIndex(({ id }) => id === turnId);
  return index < 0 ? conversation : { ...conversation, turns: conversation.turns.slice(0, index) };
}

export function withAnswer(
  conversation: Conversation,
  turnId: string,
  column: number,
  change: (answer: Answer) => Answer,
): Conversation {
  const turns = conversation.turns.map((turn) =>
    turn.id === turnId
      ? { ...turn, answers: turn.answers.map((answer, at) => (at === column ? change(answer) : answer)) }
      : turn,
  );
  return { ...conversation, turns };
}

export function isAsking(conversation: Conversation): boolean {
  return conversation.turns.some(({ answers }) => answers.some(({ state }) => state === "asking"));
}

/** With nothing under way in it: what was still being answered stays as far as it came. */
export function settled(conversation: Conversation): Conversation {
  const turns = conversation.turns.map((turn) => ({
    ...turn,
    answers: turn.answers.map((answer) =>
      answer.state === "asking" ? { ...answer, state: "stopped" as const, news: null } : answer,
    ),
  }));
  return { ...conversation, turns };
}

/** What a column's model is sent for a turn: all that was said before it, and its question. */
export function messagesFor(conversation: Conversation, turnId: string, column: number): Message[] {
  const messages: Message[] = [];
  if (conversation.system.trim()) messages.push({ role: "system", content: conversation.system });
  for (const turn of conversation.turns) {
    messages.push({ role: "user", content: contentOf(turn) });
    if (turn.id === turnId) break;
    // A column that came later goes on from what the first was told.
    const answer = turn.answers[column] ?? turn.answers[0];
    const said = answer && spoken(answer).text;
    if (said) messages.push({ role: "assistant", content: said });
    else messages.pop();
  }
  return messages;
}

const THINKING = /^\s*<think>([\s\S]*?)(?:<\/think>\s*|$)/;

/** What was thought and what was said, wherever the model's template put its thoughts. */
export function spoken({ text, thinking }: Answer): { text: string; thinking: string } {
  const found = THINKING.exec(text);
  if (!found) return { text, thinking };
  return { text: text.slice(found[0].length), thinking: thinking + (found[1] ?? "").trim() };
}

function contentOf({ question, images }: Turn): string | ContentPart[] {
  if (images.length === 0) return question;
  const pictures = images.map((url) => ({ type: "image_url" as const, image_url: { url } }));
  return question ? [{ type: "text", text: question }, ...pictures] : pictures;
}

function titleOf(question: string): string {
  const line = question.trim().split("\n", 1)[0] ?? "";
  if (!line) return "About a picture";
  return line.length <= TITLE_CHARACTERS ? line : `${line.slice(0, TITLE_CHARACTERS - 1).trimEnd()}…`;
}

// Not crypto.randomUUID, which a page without HTTPS does not have.
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("");
}
