import type { QueryAsk, QueryRecord } from "../../../lib/api";
import { Unreachable } from "../../../lib/http";
import { explain } from "../asking";
import {
  type Conversation,
  messagesFor,
  newAnswer,
  type Turn,
  withAnswer,
  withPlan,
  withQuery,
} from "../conversation";
import { change, findConversation } from "../shelf";
import { begin } from "../under-way";
import { askedAs, type Plan } from "./kinds";
import { outcomeOf } from "./outcome";
import { brokenOff, cancelled } from "./record";
import { changes, recordStore } from "./records";
import { play, watch, wire } from "./wire";

/** Puts a question to a mode. */
export function sendQuery(conversationId: string, plan: Plan, question: string): void {
  change(conversationId, (now) => withQuery(now, plan, question));
  const turn = findConversation(conversationId)?.turns.at(-1);
  if (turn) void playTurn(conversationId, turn.id);
}

/** Has the last turn answered again, by the same mode or another one. */
export function retryQuery(conversationId: string, turnId: string, plan: Plan): void {
  change(conversationId, (now) => {
    const planned = withPlan(now, turnId, { ...plan, queryId: null });
    const turns = planned.turns.map((turn) =>
      turn.id === turnId ? { ...turn, answers: [newAnswer(askedAs(plan.mode))] } : turn,
    );
    return { ...planned, turns };
  });
  void playTurn(conversationId, turnId);
}

/**
 * What became of a turn that was asked before the page was loaded: its record, and where it is still under
 * way its steps to the end. Throws ApiError, Unreachable.
 */
export async function recall(conversationId: string, { id: turnId, plan, answers }: Turn): Promise<void> {
  const id = plan?.queryId ?? null;
  if (id === null || answers[0]?.state === "asking") return;
  settle(conversationId, turnId, recordStore(id).get() ?? (await look(id)));
  settle(conversationId, turnId, await attend(id, conversationId));
}

/** A query's record, and where it is under way its steps to the end. Throws ApiError, Unreachable. */
export async function open(id: number): Promise<void> {
  if (recordStore(id).get()) return;
  await look(id);
  await attend(id, stopName(id));
}

/** By which `stop` ends a query that no conversation has. */
export const stopName = (id: number): string => `query ${id}`;

async function look(id: number): Promise<QueryRecord> {
  const record = await wire.record(id);
  recordStore(id).set(record);
  return record;
}

const attended = new Map<number, Promise<QueryRecord | null>>();

/** Follows a query to its end, if it is under way. Who stops it ends it for whoever began it too. */
function attend(id: number, name: string): Promise<QueryRecord | null> {
  const found = attended.get(id) ?? followToEnd(id, name).finally(() => attended.delete(id));
  attended.set(id, found);
  return found;
}

async function followToEnd(id: number, name: string): Promise<QueryRecord | null> {
  const store = recordStore(id);
  if (store.get()?.status !== "running") return store.get();
  const leaving = new AbortController();
  const end = begin(name, () => void wire.remove(id).catch(() => leaving.abort()));
  try {
    await watch(id, store.set, leaving.signal);
  } catch {
    // What is known of it stays, and is marked as broken off below.
  } finally {
    end();
    changes.set((count) => count + 1);
  }
  store.set((record) => record && brokenOff(record));
  return store.get();
}

async function playTurn(conversationId: string, turnId: string): Promise<void> {
  const asked = findConversation(conversationId);
  const turn = asked?.turns.find(({ id }) => id === turnId);
  if (!asked || !turn?.plan) return;
  const controller = new AbortController();
  const end = begin(conversationId, () => controller.abort());
  const hold = holdPage();
  let id: number | null = null;
  const tell = (record: QueryRecord) => {
    recordStore(record.id).set(record);
    if (id !== null) return;
    id = record.id;
    change(conversationId, (now) => withPlan(now, turnId, { ...(turn.plan as Plan), queryId: record.id }));
    changes.set((count) => count + 1);
  };
  try {
    const record = await play(askOf(asked, turn), tell, controller.signal);
    if (!record || record.status === "running") throw new Unreachable();
    settle(conversationId, turnId, record);
  } catch (failure) {
    await settleFailure(conversationId, turnId, id, failure);
  } finally {
    end();
    hold();
    changes.set((count) => count + 1);
  }
}

async function settleFailure(
  conversationId: string,
  turnId: string,
  id: number | null,
  failure: unknown,
): Promise<void> {
  const isStop = failure instanceof DOMException && failure.name === "AbortError";
  if (id !== null) {
    recordStore(id).set((record) => record && (isStop ? cancelled(record) : record));
    // Where the connection broke, the control plane knows how it ended.
    if (!isStop) await look(id).catch(() => null);
    return settle(conversationId, turnId, await attend(id, conversationId));
  }
  const failed = { state: "failed" as const, failure: explain(failure, "the one that is named") };
  const ended = isStop ? { state: "stopped" as const } : failed;
  change(conversationId, (now) => withAnswer(now, turnId, 0, (answer) => ({ ...answer, ...ended })));
}

function settle(conversationId: string, turnId: string, record: QueryRecord | null): void {
  if (!record) return;
  const { text, state, failure } = outcomeOf(record);
  const before = findConversation(conversationId)?.turns.find(({ id }) => id === turnId)?.answers[0];
  if (before?.state === state && before.text === text) return;
  const isWritten = record.status !== "running";
  change(
    conversationId,
    (now) => withAnswer(now, turnId, 0, (answer) => ({ ...answer, text, state, failure })),
    isWritten,
  );
}

/** What is sent for a turn: its plan, the conversation's sampling and system prompt, and what was said before. */
export function askOf(conversation: Conversation, { id, question, plan }: Turn): QueryAsk {
  const { temperature, top_p, max_tokens } = conversation.sampling;
  const sampling = Object.fromEntries(
    Object.entries({ temperature, top_p, max_tokens }).filter(([, value]) => value !== undefined),
  );
  const system = conversation.system.trim() ? { system_prompt: conversation.system } : {};
  const { mode, models, options } = plan as Plan;
  return {
    query: question,
    mode,
    ...(models.length > 0 ? { models } : {}),
    options: { ...sampling, ...system, ...options },
    history: messagesFor(conversation, id, 0)
      .slice(0, -1)
      .filter(({ role }) => role !== "system")
      .map(({ role, content }) => ({ role, content: wordsOf(content) })),
    stream: true,
  };
}

/** Modes are told in words only: pictures stay away. */
function wordsOf(content: ReturnType<typeof messagesFor>[number]["content"]): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : "[a picture]")).join("\n");
}

/** Has the browser ask before the page is left: leaving ends the answer. What is returned lets it go. */
function holdPage(): () => void {
  const ask = (event: BeforeUnloadEvent) => event.preventDefault();
  addEventListener("beforeunload", ask);
  return () => removeEventListener("beforeunload", ask);
}
