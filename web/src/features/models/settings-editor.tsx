import { type FormEvent, useId, useState } from "react";
import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import { useEdit } from "./actions";
import { noteOf } from "./notes";
import { isEditable, KNOWN_SETTINGS, settingText, settingValue } from "./settings";

/** What a person set for this model's server, name by name. A refusal is shown here. */
export function SettingsEditor({ model }: { model: Model }) {
  const edit = useEdit(model, "here");
  const refusal = edit.isError ? noteOf(edit.error) : null;
  const put: Put = (name, value, onTaken) =>
    edit.mutate({ settings: { [name]: value } }, { onSuccess: () => onTaken?.() });
  return (
    <div className="settings">
      <h3>Settings of llama-server</h3>
      <ul className="settings-list">
        {Object.entries(model.settings).map(([name, value]) => (
          <Setting key={name} model={model} name={name} value={value} onPut={put} />
        ))}
      </ul>
      <NewSetting model={model} onPut={put} />
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
  onPut: Put;
}

function Setting({ model, name, value, onPut }: SettingProps) {
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
    </li>
  );
}

function NewSetting({ model, onPut }: Pick<SettingProps, "model" | "onPut">) {
  const listId = useId();
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  function submit(event: FormEvent): void {
    event.preventDefault();
    const clean = name.trim().replace(/^-+/, "").replaceAll("-", "_");
    if (clean === "" || text.trim() === "") return;
    onPut(clean, settingValue(clean, text), () => {
      setName("");
      setText("");
    });
  }
  return (
    <form className="setting" onSubmit={submit}>
      <input
        aria-label={`Setting name of ${model.display_name}`}
        placeholder="name, such as ctx_size"
        list={listId}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <datalist id={listId}>
        {KNOWN_SETTINGS.map((known) => (
          <option key={known} value={known} />
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
  );
}
