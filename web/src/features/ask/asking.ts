import { ApiError, Unreachable } from "../../lib/http";
import {
  type Answer,
  type Conversation,
  type Failure,
  messagesFor,
  newAnswer,
  settled,
  upTo,
  withAnswer,
  withPlan,
  withQuestion,
} from "./conversation";
import { change, findConversation } from "./shelf";
import { begin, stop } from "./under-way";
import { ask, type Piece } from "./wire";

/** Puts a question to each of the models at once. */
export function send(conversationId: string, models: string[], question: string, images: string[]): void {
  change(conversationId, (conversation) => withQuestion(conversation, models, question, images));
  const turn = findConversation(conversationId)?.turns.at(-1);
  turn?.answers.forEach((_, column) => void answer(conversationId, turn.id, column));
}

/** Has `ask` put another question in place of an earlier one; what followed it goes. Returns how to take that back. */
export function askInstead(conversation: Conversation, turnId: string, ask: () => void): () => void {
  stop(conversation.id);
  change(conversation.id, (now) => upTo(now, turnId), false);
  ask();
  return () => {
    stop(conversation.id);
    change(conversation.id, (now) => ({ ...now, turns: settled(conversation).turns }));
  };
}

/** Has a column of the last turn answered again, by the same model or another one. */
export function retry(conversationId: string, turnId: string, column: number, model: string): void {
  change(conversationId, (now) =>
    withAnswer(withPlan(now, turnId, undefined), turnId, column, () => newAnswer(model)),
  );
  void answer(conversationId, turnId, column);
}

async function answer(conversationId: string, turnId: string, column: number): Promise<void> {
  const asked = findConversation(conversationId);
  const model = asked?.turns.find(({ id }) => id === turnId)?.answers[column]?.model;
  if (!asked || model === undefined) return;
  const controller = new AbortController();
  const end = begin(conversationId, () => controller.abort());
  const edit = (how: (answer: Answer) => Answer, write: boolean) =>
    change(conversationId, (now) => withAnswer(now, turnId, column, how), write);
  const watch = new Watch();
  try {
    const question = { model, messages: messagesFor(asked, turnId, column), ...asked.sampling };
    for await (const pieces of ask(question, controller.signal)) {
      watch.see(pieces);
      edit((now) => pieces.reduce(grown, now), false);
    }
    edit((now) => ({ ...now, state: "whole", news: null, speed: watch.speed() }), true);
  } catch (failure) {
    edit((now) => ended(now, failure, watch), true);
  } finally {
    end();
  }
}

export function grown(answer: Answer, piece: Piece): Answer {
  return {
    ...answer,
    text: answer.text + (piece.text ?? ""),
    thinking: answer.thinking + (piece.thinking ?? ""),
    news: piece.news ?? (piece.text || piece.thinking ? null : answer.news),
    cut: answer.cut || piece.cut === true,
  };
}

function ended(answer: Answer, failure: unknown, watch: Watch): Answer {
  const so = { ...answer, news: null, speed: watch.speed() };
  if (failure instanceof DOMException && failure.name === "AbortError") return { ...so, state: "stopped" };
  return { ...so, state: "failed", failure: explain(failure, answer.model) };
}

/** What went wrong, and what a person can do about it. */
export function explain(failure: unknown, model: string): Failure {
  if (failure instanceof Unreachable)
    return {
      error: failure.message,
      detail: "",
      next: "It may be restarting. Ask again when the page is connected.",
    };
  if (!(failure instanceof ApiError))
    return { error: "The answer cannot be read", detail: String(failure), next: "Ask again." };
  return { error: failure.error, detail: failure.detail, next: nextStep(failure, model) };
}

function nextStep({ status, error }: ApiError, model: string): string {
  if (/context/i.test(error))
    return "Begin a new conversation, or give the model a larger ctx_size on Models.";
  switch (status) {
    case 401:
      return "Enter the key, then ask again.";
    case 404:
      return `Choose another model than ${model}, or enable it on Models.`;
    case 429:
      return "Others are being answered. Ask again in a moment.";
    case 503:
      return "Look on Models why it does not run, press START there, or ask another model.";
    case 507:
      return "Stop another model on Models, or ask a smaller one.";
    default:
      return "Ask again, or ask another model. The model's log on Models may say more.";
  }
}

/** Takes the time of one answer. */
class Watch {
  private readonly start = performance.now();
  private first: number | null = null;
  private last = 0;
  private tokens: number | null = null;
  private tokensPerSecond: number | null = null;

  see(pieces: Piece[]): void {
    for (const piece of pieces) {
      if (piece.text || piece.thinking) {
        this.last = performance.now();
        this.first ??= this.last;
      }
      this.tokens = piece.tokens ?? this.tokens;
      this.tokensPerSecond = piece.tokensPerSecond ?? this.tokensPerSecond;
    }
  }

  /** By the server's own measure; where it tells none, by what was seen here. */
  speed(): Answer["speed"] {
    if (this.tokens === null) return null;
    const seconds = this.first === null ? 0 : (this.last - this.first) / 1000;
    const seen = seconds > 0 && this.tokens > 1 ? (this.tokens - 1) / seconds : null;
    return {
      tokens: this.tokens,
      tokensPerSecond: this.tokensPerSecond ?? seen,
      firstTokenSeconds: this.first === null ? null : (this.first - this.start) / 1000,
    };
  }
}
