import type { QueryRecord } from "../../../lib/api";
import { type Conversation, newAnswer, newConversation, newId, type Turn, withQuery } from "../conversation";
import { KINDS } from "./kinds";
import { outcomeOf } from "./outcome";

/** A conversation that begins with what a query was told before, and with the query itself. */
export function conversationOf(record: QueryRecord): Conversation {
  const { id, mode, models, options, query, history } = record;
  const system = history.find(({ role }) => role === "system")?.content ?? "";
  const { system_prompt: _, ...own } = options;
  const asked = withQuery(newConversation({ system }), { mode, models, options: own }, query);
  const turns = asked.turns.map((turn) => ({
    ...turn,
    plan: { mode, models, options: own, queryId: id },
    answers: turn.answers.map((answer) => ({ ...answer, ...outcomeOf(record) })),
  }));
  const { mode: _mode, ...chat } = { ...asked, turns: [...turnsBefore(history), ...turns] };
  return KINDS.some((kind) => kind.mode === mode) ? { ...chat, mode } : chat;
}

function turnsBefore(history: QueryRecord["history"]): Turn[] {
  return history.flatMap(({ role, content }, index) => {
    if (role !== "user") return [];
    const next = history[index + 1];
    const text = next?.role === "assistant" ? next.content : "";
    const answer = { ...newAnswer("earlier"), text, state: "whole" as const };
    return [{ id: newId(), question: content, images: [], answers: [answer] }];
  });
}
