import { useState } from "react";
import { Icon } from "../../components/icon";
import { Menu, MenuEntry } from "../../components/menu";
import { go, Link } from "../../lib/router";
import { useStore } from "../../lib/store";
import { say } from "../../lib/toasts";
import type { Conversation } from "./conversation";
import { History } from "./modes/history";
import { change, MOST_CONVERSATIONS, remove, shelf } from "./shelf";
import { stop } from "./under-way";
import "./conversations.css";

interface Props {
  /** The conversation that is shown. */
  here: string | null;
  /** The query that is shown, where it is in none. */
  query: number | null;
}

/** Every conversation that this browser keeps, and every question to a mode that the control plane does. */
export function Conversations({ here, query }: Props) {
  const kept = useStore(shelf);
  const [renamed, setRenamed] = useState<string | null>(null);
  return (
    <nav className="conversations" aria-label="Conversations">
      <Link to="ask" className="button conversations-new">
        New conversation
      </Link>
      <ul>
        {kept.map((conversation) => (
          <li key={conversation.id} data-here={conversation.id === here}>
            {renamed === conversation.id ? (
              <TitleField conversation={conversation} onDone={() => setRenamed(null)} />
            ) : (
              <Entry conversation={conversation} here={here} onRename={() => setRenamed(conversation.id)} />
            )}
          </li>
        ))}
      </ul>
      <p className="conversations-note">
        {kept.length === 0 ? "Conversations stay" : "Kept"} in this browser: the newest {MOST_CONVERSATIONS},
        up to 4 MB.
      </p>
      <History here={query} />
    </nav>
  );
}

interface EntryProps {
  conversation: Conversation;
  here: string | null;
  onRename: () => void;
}

function Entry({ conversation: { id, title }, here, onRename }: EntryProps) {
  return (
    <>
      <Link to="ask" query={{ c: id }} aria-current={id === here ? "page" : undefined} title={title}>
        {title}
      </Link>
      <Menu
        button={
          <button type="button" className="button button-icon" aria-label={`More for ${title}`}>
            <Icon name="more" />
          </button>
        }
      >
        <MenuEntry onPick={onRename}>Rename</MenuEntry>
        <MenuEntry onPick={() => discard(id, title, id === here)}>Delete</MenuEntry>
      </Menu>
    </>
  );
}

function discard(id: string, title: string, isHere: boolean): void {
  stop(id);
  const putBack = remove(id);
  if (isHere) go("ask");
  const run = () => {
    putBack();
    if (isHere) go("ask", { c: id });
  };
  say(`Deleted “${title}”`, { undo: { label: "UNDO", run } });
}

function TitleField({ conversation, onDone }: { conversation: Conversation; onDone: () => void }) {
  const [title, setTitle] = useState(conversation.title);
  function keep(): void {
    if (title.trim()) change(conversation.id, (now) => ({ ...now, title: title.trim() }));
    onDone();
  }
  return (
    <input
      aria-label={`Title of ${conversation.title}`}
      value={title}
      // biome-ignore lint/a11y/noAutofocus: the person has just asked to write here
      autoFocus
      onFocus={(event) => event.target.select()}
      onChange={(event) => setTitle(event.target.value)}
      onBlur={keep}
      onKeyDown={(event) => {
        if (event.key === "Enter") keep();
        if (event.key === "Escape") onDone();
      }}
    />
  );
}
