import { useEffect, useMemo, useRef, useState } from "react";
import { Dialog } from "../../components/dialog";
import { useFleet } from "../../lib/fleet";
import { useKeys } from "../../lib/keys";
import { Link, restate, useRoute } from "../../lib/router";
import { useStore } from "../../lib/store";
import { say } from "../../lib/toasts";
import { retry, send, sendInstead, stop } from "./asking";
import { Composer } from "./composer";
import { type Conversation, isAsking } from "./conversation";
import { Conversations } from "./conversations";
import { Manner } from "./manner";
import { change, draft, followOtherTabs, shelf } from "./shelf";
import { useStick } from "./stick";
import { atHand, type Target, targetsOf } from "./targets";
import { TurnView } from "./turn";
import { Whom } from "./whom";
import "./page.css";

/** Questions to any model, and what it answers. */
export default function AskPage() {
  useEffect(followOtherTabs, []);
  const { query } = useRoute();
  const kept = useStore(shelf);
  const blank = useStore(draft);
  const conversation = kept.find(({ id }) => id === query.get("c")) ?? blank;
  const [listed, setListed] = useState(false);
  return (
    <div className="ask-page">
      <aside className="ask-side">
        <Conversations here={conversation.id} />
      </aside>
      <section className="ask-main" aria-labelledby="ask-title">
        <header className="ask-head">
          <h1 id="ask-title">{conversation.title}</h1>
          <button type="button" className="button ask-list-button" onClick={() => setListed(true)}>
            Conversations
          </button>
        </header>
        <Thread key={conversation.id} conversation={conversation} wanted={query.get("model")} />
      </section>
      <Dialog open={listed} onClose={() => setListed(false)} title="Conversations" shape="drawer">
        {/* biome-ignore lint/a11y: whatever is chosen within closes the drawer; Escape does too */}
        <div onClick={(event) => event.target instanceof HTMLAnchorElement && setListed(false)}>
          <Conversations here={conversation.id} />
        </div>
      </Dialog>
    </div>
  );
}

/** One conversation. wanted: whom the address asks for, where nobody was asked yet. */
function Thread({ conversation, wanted }: { conversation: Conversation; wanted: string | null }) {
  const { id, turns } = conversation;
  const { targets, isLoaded } = useTargets();
  const models = useModels(conversation, targets, wanted);
  const [edited, setEdited] = useState<string | null>(null);
  const content = useRef<HTMLDivElement>(null);
  const goToEnd = useStick(content);
  const asking = isAsking(conversation);
  useKeys([{ keys: "Escape", words: "Stop the answer", run: () => stop(id) }]);
  const canSee =
    models.length > 0 && models.every((model) => targets.find(({ name }) => name === model)?.sees);

  function sendNew(question: string, images: string[]): void {
    send(id, models, question, images);
    restate("ask", { c: id });
    goToEnd();
  }

  function sendEdited(turnId: string, question: string, images: string[]): void {
    const run = sendInstead(conversation, turnId, models, question, images);
    setEdited(null);
    say("Asked in place of the earlier question", { name: "edited", undo: { label: "UNDO", run } });
  }

  return (
    <>
      <div ref={content} className="turns">
        {turns.length === 0 && <Beginning targets={targets} isLoaded={isLoaded} />}
        {turns.map((turn) => (
          <TurnView
            key={turn.id}
            turn={turn}
            targets={targets}
            canSee={canSee}
            isLast={turn === turns.at(-1)}
            isEdited={edited === turn.id}
            onEdit={setEdited}
            onSendInstead={sendEdited}
            onRetry={(turnId, column, model) => retry(id, turnId, column, model)}
          />
        ))}
      </div>
      <p className="unseen" role="status">
        {asking ? "Answering" : turns.length > 0 && "Answered"}
      </p>
      <div className="ask-foot">
        <Composer
          label="Question"
          canSee={canSee}
          canSend={models.length > 0}
          asking={asking}
          onSend={sendNew}
          onStop={() => stop(id)}
          onUp={() => setEdited(turns.at(-1)?.id ?? null)}
        />
        <Whom models={models} targets={targets} onChoose={(chosen) => choose(id, chosen)} />
        <Manner conversation={conversation} onChange={(edit) => change(id, edit)} />
      </div>
    </>
  );
}

function choose(id: string, models: string[]): void {
  change(id, (now) => ({ ...now, models }));
}

function useTargets(): { targets: Target[]; isLoaded: boolean } {
  const models = useFleet().data?.registry.models;
  return { targets: useMemo(() => targetsOf(models ?? []), [models]), isLoaded: models !== undefined };
}

/** Whom the next question goes to: the chosen, else the wanted, else those that the last conversation asked. */
function useModels({ models }: Conversation, targets: Target[], wanted: string | null): string[] {
  const before = useStore(shelf, (kept) => kept[0]?.models[0]);
  if (models.length > 0) return models;
  const found = wanted ?? atHand(targets, before);
  return found === undefined ? [] : [found];
}

function Beginning({ targets, isLoaded }: { targets: Target[]; isLoaded: boolean }) {
  if (!isLoaded) return <p className="looking">Looking for models…</p>;
  if (targets.length > 0)
    return (
      <p className="ask-beginning">
        Enter sends, <kbd>Shift</kbd> <kbd>Enter</kbd> breaks the line, <kbd>Esc</kbd> stops, <kbd>↑</kbd>{" "}
        edits the last question.
      </p>
    );
  return (
    <p className="ask-beginning">
      No model can be asked: none runs, and none is enabled. <Link to="">Enable or start one on Models.</Link>
    </p>
  );
}
