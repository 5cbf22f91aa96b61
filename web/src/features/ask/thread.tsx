import { useMemo, useRef, useState } from "react";
import { useFleet } from "../../lib/fleet";
import { useKeys } from "../../lib/keys";
import { Link, restate } from "../../lib/router";
import { useStore } from "../../lib/store";
import { say } from "../../lib/toasts";
import { askInstead, retry, send } from "./asking";
import { Composer } from "./composer";
import { type Conversation, isAsking } from "./conversation";
import { Manner } from "./manner";
import { type Mode, modeNamed, newPlan, type Plan, problemOf } from "./modes/kinds";
import { ModePicker } from "./modes/mode-picker";
import { PlanPanel } from "./modes/plan-panel";
import { retryQuery, sendQuery } from "./modes/querying";
import { change, shelf } from "./shelf";
import { useStick } from "./stick";
import { atHand, type Target, targetsOf } from "./targets";
import { TurnView } from "./turn";
import { stop } from "./under-way";
import { Whom } from "./whom";

interface Props {
  conversation: Conversation;
  /** Whom, and by which mode, the address asks, where nobody was asked yet. */
  wanted: string | null;
  wantedMode: Mode | undefined;
}

/** One conversation. */
export function Thread({ conversation, wanted, wantedMode }: Props) {
  const { id, turns } = conversation;
  const { targets, isLoaded } = useTargets();
  const models = useModels(conversation, targets, wanted);
  const [edited, setEdited] = useState<string | null>(null);
  const content = useRef<HTMLDivElement>(null);
  const goToEnd = useStick(content);
  const isWanted = turns.length === 0 && (wanted !== null || wantedMode !== undefined);
  const mode = isWanted ? wantedMode : conversation.mode;
  const plan = mode && planOf(conversation, mode);
  useKeys([{ keys: "Escape", words: "Stop the answer", run: () => stop(id) }]);
  const canSee =
    !mode && models.length > 0 && models.every((model) => targets.find(({ name }) => name === model)?.sees);

  function ask(question: string, images: string[]): void {
    if (plan && images.length > 0)
      say("Modes take words only: the pictures were left out.", { tone: "bad", name: "blind" });
    if (!plan) send(id, models, question, images);
    else if (question) sendQuery(id, plan, question);
  }

  function sendNew(question: string, images: string[]): void {
    ask(question, images);
    restate("ask", { c: id });
    goToEnd();
  }

  function sendEdited(turnId: string, question: string, images: string[]): void {
    const run = askInstead(conversation, turnId, () => ask(question, images));
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
            conversationId={id}
            turn={turn}
            targets={targets}
            canSee={canSee}
            isLast={turn === turns.at(-1)}
            isEdited={edited === turn.id}
            onEdit={setEdited}
            onSendInstead={sendEdited}
            onRetry={(turnId, column, name) => askAgain(conversation, turnId, column, name)}
          />
        ))}
      </div>
      <Progress conversation={conversation} />
      <Foot
        conversation={conversation}
        models={models}
        plan={plan}
        targets={targets}
        canSee={canSee}
        onSend={sendNew}
        onUp={() => setEdited(turns.at(-1)?.id ?? null)}
      />
    </>
  );
}

interface FootProps {
  conversation: Conversation;
  /** Whom, or by which mode, the next question is asked. */
  models: string[];
  plan: Plan | undefined;
  targets: Target[];
  canSee: boolean;
  onSend: (question: string, images: string[]) => void;
  onUp: () => void;
}

/** Where the next question is written, and how it is to be answered. */
function Foot({ conversation, models, plan, targets, canSee, onSend, onUp }: FootProps) {
  const { id } = conversation;
  return (
    <div className="ask-foot">
      <Composer
        label="Question"
        canSee={canSee}
        canSend={plan ? targets.length > 0 && problemOf(plan) === null : models.length > 0}
        asking={isAsking(conversation)}
        onSend={onSend}
        onStop={() => stop(id)}
        onUp={onUp}
      />
      <ModePicker mode={plan?.mode} onPick={(picked) => pickMode(conversation, picked)} />
      {plan ? (
        <PlanPanel
          plan={plan}
          targets={targets}
          onChange={(now) => change(id, (all) => withPlanFor(all, now))}
        />
      ) : (
        <Whom models={models} targets={targets} onChoose={(chosen) => choose(id, chosen)} />
      )}
      <Manner conversation={conversation} isForMode={!!plan} onChange={(edit) => change(id, edit)} />
    </div>
  );
}

/** Said to those who do not see it; a mode says for itself what it is at. */
function Progress({ conversation }: { conversation: Conversation }) {
  const last = conversation.turns.at(-1);
  const words = isAsking(conversation) ? "Answering" : "Answered";
  return (
    <p className="unseen" role="status">
      {last && !last.plan && words}
    </p>
  );
}

function askAgain(conversation: Conversation, turnId: string, column: number, name: string): void {
  const mode = modeNamed(name);
  const before = conversation.turns.find(({ id }) => id === turnId)?.plan;
  if (mode === null) retry(conversation.id, turnId, column, name);
  else retryQuery(conversation.id, turnId, before?.mode === mode ? before : planOf(conversation, mode));
}

/** From now on; also where the address had wanted another one. */
function pickMode({ id, turns }: Conversation, mode: Mode | undefined): void {
  if (turns.length === 0) restate("ask", {});
  change(id, (now) => withMode(now, mode));
}

const planOf = ({ plans }: Conversation, mode: Mode): Plan => plans?.[mode] ?? newPlan(mode);

function withMode({ mode: _, ...conversation }: Conversation, mode: Mode | undefined): Conversation {
  return mode === undefined ? conversation : { ...conversation, mode };
}

function withPlanFor(conversation: Conversation, plan: Plan): Conversation {
  return { ...conversation, mode: plan.mode, plans: { ...conversation.plans, [plan.mode]: plan } };
}

function choose(id: string, models: string[]): void {
  change(id, (now) => ({ ...now, models }));
}

export function useTargets(): { targets: Target[]; isLoaded: boolean } {
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
