import { useId } from "react";
import { Press } from "../../../components/press";
import type { EngineOption, Model, Plan } from "../../../lib/api";
import { useSystem } from "../../../lib/system";
import { type Drafts, shownText, typingProblem } from "../settings";
import { Costs } from "./costs";
import type { Edit } from "./plans";
import type { Refusal } from "./settings-tab";

/** What every field of a model's settings needs to know. */
export interface FieldState {
  model: Model;
  drafts: Drafts;
  /** The drafts as an edit would bring them, once the person has stopped typing. */
  edit: Edit;
  plan: Plan | undefined;
  refusal: Refusal | null;
  onType: (name: string, text: string) => void;
}

interface FieldProps {
  option: EngineOption;
  state: FieldState;
}

/** One setting: its value or its default, what it does in the engine's own words, what it costs. */
export function SettingField({ option, state }: FieldProps) {
  const { model, drafts, refusal, onType } = state;
  const { name } = option;
  const ids = useId();
  const saved = shownText(option, model.settings[name]);
  const text = drafts[name] ?? saved;
  const problem = typingProblem(option, text) ?? (refusal?.name === name ? refusal.words : null);
  const isDraft = name in drafts;
  const mark = isDraft ? "unsaved" : saved === "" ? null : "set";
  return (
    <li className="setting-field" data-mark={mark ?? undefined}>
      <div className="setting-line">
        <label className="setting-label" htmlFor={`${ids}-value`}>
          {name}
          {mark && <span className="setting-mark">{mark}</span>}
        </label>
        <Editor
          id={`${ids}-value`}
          label={`${name} of ${model.display_name}`}
          describedBy={`${ids}-help`}
          option={option}
          text={text}
          initial={defaultOf(option, state)}
          isBad={problem !== null}
          onType={(typed) => onType(name, typed)}
        />
        <Press
          className="button-plain"
          aria-label={isDraft ? `Take back ${name}` : `Default of ${name}`}
          title={isDraft ? "Back to what is saved" : "Back to the default"}
          available={mark !== null}
          onPress={() => onType(name, isDraft ? saved : "")}
        >
          {isDraft ? "Take back" : "Default"}
        </Press>
      </div>
      {problem && (
        <p className="refusal" role="alert">
          {problem}
        </p>
      )}
      <Costs option={option} text={text} state={state} />
      <p className="setting-help" id={`${ids}-help`}>
        {option.hint && <code>{option.hint}</code>} {option.help}
      </p>
    </li>
  );
}

/** What counts while nothing is set: what is passed by us, else the engine's own. */
function defaultOf({ name, default: own }: EngineOption, { plan, drafts, model }: FieldState): string {
  const isSet = name in drafts || name in model.settings;
  const passed = isSet ? undefined : plan?.settings[name];
  return passed === undefined || passed === null ? (own ?? "") : String(passed);
}

interface EditorProps {
  id: string;
  label: string;
  describedBy: string;
  option: EngineOption;
  text: string;
  initial: string;
  isBad: boolean;
  onType: (text: string) => void;
}

function Editor({ id, label, describedBy, option, text, initial, isBad, onType }: EditorProps) {
  const suggestions = useSuggestions(option);
  const common = { id, "aria-label": label, "aria-describedby": describedBy, "aria-invalid": isBad };
  if (option.kind === "switch" && (initial === "true" || initial === "false")) {
    const isOn = text === "" ? initial === "true" : text === "true";
    const change = (checked: boolean) => onType(String(checked) === initial ? "" : String(checked));
    return (
      <span className="setting-switch">
        <input {...common} type="checkbox" checked={isOn} onChange={({ target }) => change(target.checked)} />
        <span aria-hidden="true">{isOn ? "on" : "off"}</span>
      </span>
    );
  }
  const choices = option.kind === "switch" ? ["true", "false"] : option.choices;
  if (choices.length > 0) {
    const unknown = text !== "" && !choices.includes(text) ? [text] : [];
    return (
      <select {...common} value={text} onChange={({ target }) => onType(target.value)}>
        <option value="">default{initial && ` (${initial})`}</option>
        {[...choices, ...unknown].map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    );
  }
  return (
    <>
      <input
        {...common}
        inputMode={option.kind === "number" ? "decimal" : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder={initial}
        list={suggestions.length > 0 ? `${id}-list` : undefined}
        value={text}
        onChange={({ target }) => onType(target.value)}
      />
      {suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {suggestions.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </>
  );
}

/** What a field of ours may hold that depends on this machine. */
function useSuggestions({ name }: EngineOption): string[] {
  const devices = useSystem().data?.devices ?? [];
  if (name !== "devices") return [];
  return ["auto", "cpu", ...devices.filter(({ kind }) => kind === "gpu").map((device) => device.name)];
}
