import { Press } from "../../../components/press";
import type { Model, Plan } from "../../../lib/api";
import { countWords, memoryWords } from "../../../lib/format";
import { canStop } from "../../../lib/status";
import { useStore } from "../../../lib/store";
import { toasts, unsay } from "../../../lib/toasts";
import { needsRestart } from "../settings";
import { fitWords } from "./estimate";
import { estimatedMb } from "./plans";
import { useRestart } from "./restart";
import type { Refusal } from "./settings-tab";

interface SaveProps {
  model: Model;
  /** Of the settings that are changed and not saved. */
  names: string[];
  plan: Plan | undefined;
  before: Plan | undefined;
  isSaving: boolean;
  refusal: Refusal | null;
  onDiscard: () => void;
  onSave: (onTaken?: () => void) => void;
}

/** At the drawer's foot while anything is unsaved: what it would come to, and the way to have it or not. */
export function SaveBar(props: SaveProps) {
  const { model, names, plan, before, isSaving, refusal, onDiscard, onSave } = props;
  const restart = useRestart(model);
  if (names.length === 0) return <TakeBack model={model} />;
  const isUp = canStop(model) && needsRestart(names);
  const able = !isSaving && !restart.isPending;
  return (
    <div className="save-bar">
      <p className="save-words">
        <strong>{countWords(names.length, "change")}</strong>
        {plan && before && ` · ~${memoryWords(estimatedMb(plan))}, ${fitWords(model, plan, true)}`}
      </p>
      <div role="alert">{refusal && refusal.name === null && <p className="refusal">{refusal.words}</p>}</div>
      <div className="save-buttons">
        <Press available={able} onPress={onDiscard}>
          DISCARD
        </Press>
        <Press className={isUp ? "" : "button-main"} available={able} onPress={() => onSave()}>
          SAVE
        </Press>
        {isUp && (
          <Press className="button-main" available={able} onPress={() => onSave(() => restart.mutate())}>
            SAVE AND RESTART
          </Press>
        )}
      </div>
    </div>
  );
}

/** The message's undo, where the keyboard reaches it while the drawer is open. */
function TakeBack({ model }: { model: Model }) {
  const told = useStore(toasts, (all) => all.find(({ name }) => name === `edit ${model.model_id}`));
  const undo = told?.undo;
  if (!told || !undo) return null;
  return (
    <div className="save-bar">
      <p className="save-words">{told.text}</p>
      <div className="save-buttons">
        <Press
          available
          onPress={() => {
            unsay(told.id);
            undo.run();
          }}
        >
          UNDO
        </Press>
      </div>
    </div>
  );
}
