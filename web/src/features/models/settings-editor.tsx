import { type FormEvent, useId, useState } from "react";
import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import { useEdit } from "./actions";
import { noteOf } from "./notes";
import { type OptionHelp, useEngines, useOptionHelp } from "./options";
import { isEditable, settingText, settingValue } from "./settings";

/** What a person set for this model's server, name by name. A refusal is shown here. */
export function SettingsEditor({ model }: { model: Model }) {
  const edit = useEdit(model, "here");
  const refusal = edit.isError ? noteOf(edit.error) : null;
  const put: Put = (name, value, onTaken) =>
    edit.mutate({ settings: { [name]: value } }, { onSuccess: () => onTaken?.() });
  const help = useOptionHelp(model);
  return (
    <div className="settings">
      <h3>Settings of llama-server</h3>
      <EngineSelect model={model} onPut={put} />
      <ul className="settings-list">
        {Object.entries(model.settings).map(([name, value]) => (
          <Setting key={name} model={model} name={name} value={value} help={help} onPut={put} />
        ))}
      </ul>
      <NewSetting model={model} help={help} onPut={put} />
      {!model.settings_verified && <p className="quiet">No engine was there to check these names against.</p>}
      {model.restart_required && <p className="quiet">Changed since it started: STOP and START apply it.</p>}
      <div role="alert">
        {refusal && (
          <p className="settings-refusal">
            <strong>{refusal.error}</strong> {refusal.detail}
          </p>
        )}
      </div>
    </div>
  );
}

type Put = (name: string, value: unknown, onTaken?: () => void) => void;

interface SettingProps {
  model: Model;
  name: string;
  value: unknown;
  help: OptionHelp;
  onPut: Put;
}

/** Which engine runs the model, where there is more than one. */
function EngineSelect({ model, onPut }: Pick<SettingProps, "model" | "onPut">) {
  const engines = useEngines();
  const chosen = typeof model.settings.engine === "string" ? model.settings.engine : "";
  if (engines.length < 2) return null;
  return (
    <label className="setting-engine">
      Engine
      <select
        aria-label={`Engine of ${model.display_name}`}
        value={chosen}
        onChange={(event) => onPut("engine", event.target.value || null)}
      >
        {engines.map((engine) => (
          <option key={engine.name ?? ""} value={engine.name ?? ""}>
            {engine.name ?? "default"} {engine.problem ? "(cannot be run)" : (engine.version ?? "")}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The engine's own words on an option, as soon as its name is known. */
function HelpText({ name, help }: { name: string; help: OptionHelp }) {
  const option = help.get(name);
  if (option === undefined) return null;
  return (
    <p className="setting-help">
      {option.hint && <code>{option.hint}</code>} {option.help}
    </p>
  );
}

function Setting({ model, name, value, help, onPut }: SettingProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const text = settingText(value);
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (draft !== null && draft !== text) onPut(name, settingValue(name, draft));
    setDraft(null);
  }
  return (
    <li>
      <form className="setting" onSubmit={submit}>
        <span className="setting-name">{name}</span>
        <input
          aria-label={`${name} of ${model.display_name}`}
          value={draft ?? text}
          readOnly={!isEditable(name)}
          onChange={(event) => setDraft(event.target.value)}
        />
        <button type="submit" className="button">
          Set
        </button>
        <Press
          className="button-plain"
          aria-label={`Default ${name}`}
          available
          onPress={() => onPut(name, null)}
        >
          Default
        </Press>
      </form>
      <HelpText name={name} help={help} />
    </li>
  );
}

function NewSetting({ model, help, onPut }: Pick<SettingProps, "model" | "help" | "onPut">) {
  const listId = useId();
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const clean = name.trim().replace(/^-+/, "").replaceAll("-", "_");
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (clean === "" || text.trim() === "") return;
    onPut(clean, settingValue(clean, text), () => {
      setName("");
      setText("");
    });
  }
  return (
    <>
      <form className="setting" onSubmit={submit}>
        <input
          aria-label={`Setting name of ${model.display_name}`}
          placeholder="name, such as ctx_size"
          list={listId}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <datalist id={listId}>
          {[...help.values()].map((option) => (
            <option key={option.name} value={option.name} label={option.help} />
          ))}
        </datalist>
        <input
          aria-label={`Setting value of ${model.display_name}`}
          placeholder="value"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" className="button">
          Set
        </button>
        <span />
      </form>
      <HelpText name={clean} help={help} />
    </>
  );
}
