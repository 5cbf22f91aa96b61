import { createStore } from "../../lib/store";
import { say } from "../../lib/toasts";
import { type Conversation, isAsking, newConversation, settled } from "./conversation";

// Each conversation has an entry of its own in this browser's storage: tabs do not write over each other's.
const PREFIX = "synapse-conversation:";

/** Browsers give a site some 5,000,000 characters. */
export const MOST_CHARACTERS = 4_000_000;
export const MOST_CONVERSATIONS = 200;

/** Every conversation that is kept in this browser, the one changed last first. */
export const shelf = createStore<readonly Conversation[]>(readAll());

/** The conversation that has no question yet. */
export const draft = createStore<Conversation>(newConversation());

export function findConversation(id: string): Conversation | undefined {
  return draft.get().id === id ? draft.get() : shelf.get().find((kept) => kept.id === id);
}

/** Changes what is shown; `write` also changes what is kept. A draft that has a question is none any more. */
export function change(id: string, edit: (conversation: Conversation) => Conversation, write = true): void {
  const found = findConversation(id);
  if (!found) return;
  const edited = edit(found);
  if (found === draft.get()) {
    draft.set(edited.turns.length === 0 ? edited : newConversation());
    if (edited.turns.length === 0) return;
  }
  if (write) put({ ...edited, changedMs: Date.now() });
  else shelf.set((all) => all.map((kept) => (kept.id === id ? edited : kept)));
}

/** Takes it off the shelf; what is returned puts it back. */
export function remove(id: string): () => void {
  const found = shelf.get().find((kept) => kept.id === id);
  shelf.set((all) => all.filter((kept) => kept.id !== id));
  localStorage.removeItem(PREFIX + id);
  return () => found && put(settled(found));
}

/** Takes in what another tab changes, until the returned function is called. */
export function followOtherTabs(): () => void {
  const hear = ({ key }: StorageEvent) => {
    if (key !== null && !key.startsWith(PREFIX)) return;
    const mine = shelf.get().filter(isAsking);
    shelf.set(readAll().map((kept) => mine.find(({ id }) => id === kept.id) ?? kept));
  };
  addEventListener("storage", hear);
  return () => removeEventListener("storage", hear);
}

/** Those that there is room for, of a list with the newest first. The newest always is. */
export function thatFit(
  conversations: readonly Conversation[],
  characters = MOST_CHARACTERS,
  count = MOST_CONVERSATIONS,
): Conversation[] {
  let left = characters;
  return conversations.slice(0, count).filter((conversation, index) => {
    left -= JSON.stringify(conversation).length;
    return index === 0 || left >= 0;
  });
}

function put(conversation: Conversation): void {
  const others = shelf.get().filter(({ id }) => id !== conversation.id);
  const sorted = [conversation, ...others].sort((one, other) => other.changedMs - one.changedMs);
  const fitting = thatFit(sorted);
  for (const { id } of sorted)
    if (!fitting.some((kept) => kept.id === id)) localStorage.removeItem(PREFIX + id);
  shelf.set(fitting);
  try {
    localStorage.setItem(PREFIX + conversation.id, JSON.stringify(conversation));
  } catch {
    say("This browser has no room to keep the conversation. It is lost when the page is closed.", {
      tone: "bad",
      name: "no-room",
    });
  }
}

function readAll(): Conversation[] {
  const found: Conversation[] = [];
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith(PREFIX)) continue;
    const conversation = readOne(localStorage.getItem(key) ?? "");
    if (conversation) found.push(conversation);
    else localStorage.removeItem(key);
  }
  return found.sort((one, other) => other.changedMs - one.changedMs);
}

function readOne(text: string): Conversation | null {
  try {
    return settled(JSON.parse(text) as Conversation);
  } catch {
    return null;
  }
}
