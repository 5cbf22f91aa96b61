import type { QueryAsk, QueryRecord } from "../../../lib/api";
import { ApiError, Unreachable } from "../../../lib/http";
import { say } from "../../../lib/toasts";
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
import { brokenOff } from "./record";
import { changes, recordStore } from "./records";
import { watch, wire } from "./wire";

const AGAIN_MS = 1000;

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

/** Follows a query to its end, if it has not ended. Who stops it ends it for whoever began it too. */
function attend(id: number, name: string): Promise<QueryRecord | null> {
  const found = attended.get(id) ?? followToEnd(id, name).finally(() => attended.delete(id));
  attended.set(id, found);
  return found;
}

async function followToEnd(id: number, name: string): Promise<QueryRecord | null> {
  const store = recordStore(id);
  if (hasEnded(store.get())) return store.get();
  const leaving = new AbortController();
  const end = begin(name, () => void cancel(id).catch(() => leaving.abort()));
  try {
    await watchOn(id, leaving.signal);
  } finally {
    end();
    changes.set((count) => count + 1);
  }
  store.set((record) => record && brokenOff(record));
  return store.get();
}

/** Also over a connection that breaks: it goes on meanwhile, and the control plane knows how it has ended. */
async function watchOn(id: number, signal: AbortSignal): Promise<void> {
  const store = recordStore(id);
  for (;;) {
    await watch(id, store.set, signal).catch(() => null);
    if (hasEnded(store.get()) || signal.aborted) return;
    const failure = await look(id).catch((why: unknown) => why);
    if (hasEnded(store.get()) || (failure instanceof ApiError && failure.status < 500)) return;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

const hasEnded = (record: QueryRecord | null) => record !== null && record.status !== "running";

async function cancel(id: number): Promise<void> {
  try {
    await wire.cancel(id);
  } catch (failure) {
    say(`It could not be stopped. ${(failure as Error).message}`, { tone: "bad", name: "stop" });
    throw failure;
  }
}

async function playTurn(conversationId: string, turnId: string): Promise<void> {
  const asked = findConversation(conversationId);
  const turn = asked?.turns.find(({ id }) => id === turnId);
  if (!asked || !turn?.plan) return;
  const plan = turn.plan;
  let isStopped = false;
  const end = begin(conversationId, () => {
    isStopped = true;
  });
  try {
    const { id } = await wire.ask(askOf(asked, turn)).finally(end);
    change(conversationId, (now) => withPlan(now, turnId, { ...plan, queryId: id }));
    changes.set((count) => count + 1);
    const following = attend(id, conversationId);
    if (isStopped) void cancel(id).catch(() => null);
    const record = await following;
    if (!record) throw new Unreachable();
    settle(conversationId, turnId, record);
  } catch (failure) {
    const failed = { state: "failed" as const, failure: explain(failure, "the one that is named") };
    const ended = isStopped ? { state: "stopped" as const } : failed;
    change(conversationId, (now) => withAnswer(now, turnId, 0, (answer) => ({ ...answer, ...ended })));
  }
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
    stream: false,
    detach: true,
  };
}

/** Modes are told in words only: pictures stay away. */
function wordsOf(content: ReturnType<typeof messagesFor>[number]["content"]): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : "[a picture]")).join("\n");
}
