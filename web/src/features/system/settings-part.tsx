import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { Press } from "../../components/press";
import { refusalOf } from "../../lib/http";
import { editing, useSettings } from "./queries";
import { editorOf, givenBy, labelOf, typedValue, valueWords } from "./settings";
import type { Setting } from "./wire";
import "./settings-part.css";

/** Every setting: those that change while it runs, to edit; the others, which a start takes, to read. */
export function SettingsPart() {
  const { data, error } = useSettings();
  if (data === undefined)
    return <p className="section-note">{error ? error.message : "Asking the control plane…"}</p>;
  const fixed = data.settings.filter(({ can_change }) => !can_change);
  return (
    <>
      <ul className="own-settings">
        {data.settings
          .filter(({ can_change }) => can_change)
          .map((setting) => (
            <EditableSetting key={setting.field} setting={setting} />
          ))}
      </ul>
      <p className="section-note">
        Changes take effect at once, and are saved in <code>{data.saved_in}</code>
      </p>
      <details className="own-settings-fixed">
        <summary>Settings of a start</summary>
        <p className="section-note">Flags, the environment and the file .env give these.</p>
        <dl className="system-facts">
          {fixed.map((setting) => (
            <div key={setting.field} title={setting.description}>
              <dt>{labelOf(setting).words}</dt>
              <dd>
                {valueWords(setting.value)} <code className="own-setting-name">{setting.name}</code>
              </dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}

function EditableSetting({ setting }: { setting: Setting }) {
  const edit = useMutation(editing(useQueryClient()));
  const helpId = useId();
  const { words, unit } = labelOf(setting);
  const given = givenBy(setting);
  const refusal = edit.isError ? refusalOf(edit.error) : null;
  const put = (value: unknown) => edit.mutate({ setting, value });
  return (
    <li className="own-setting" data-saved={setting.saved !== null}>
      <div className="own-setting-line">
        <span className="own-setting-label">{words}</span>
        <Field
          setting={setting}
          label={unit === "" ? words : `${words}, in ${unit}`}
          helpId={helpId}
          onPut={put}
        />
        <span className="own-setting-unit">{unit}</span>
        <Press
          className="button-plain"
          aria-label={`Default ${words}`}
          available={setting.saved !== null && !edit.isPending}
          onPress={() => put(null)}
        >
          Default
        </Press>
      </div>
      <p className="own-setting-help" id={helpId}>
        {setting.description}
        {given !== null && <strong> {given}</strong>}
      </p>
      <div role="alert">
        {refusal && (
          <p className="system-problem">
            <strong>{refusal.error}</strong> {refusal.detail}
          </p>
        )}
      </div>
    </li>
  );
}

interface FieldProps {
  setting: Setting;
  label: string;
  helpId: string;
  onPut: (value: unknown) => void;
}

function Field({ setting, label, helpId, onPut }: FieldProps) {
  const editor = editorOf(setting);
  const shared = { "aria-label": label, "aria-describedby": helpId };
  if (editor.kind === "number" || editor.kind === "text") {
    return <Typed key={String(setting.value)} setting={setting} shared={shared} onPut={onPut} />;
  }
  const choices = editor.kind === "choice" ? editor.choices : ["on", "off"];
  const now = editor.kind === "choice" ? String(setting.value) : valueWords(setting.value);
  return (
    <select
      {...shared}
      value={setting.value === null ? "" : now}
      onChange={({ target }) => onPut(editor.kind === "choice" ? target.value : target.value === "on")}
    >
      {setting.value === null && <option value="">by itself</option>}
      {choices.map((choice) => (
        <option key={choice}>{choice}</option>
      ))}
    </select>
  );
}

interface TypedProps {
  setting: Setting;
  shared: Record<string, string>;
  onPut: (value: unknown) => void;
}

/** Taken when left or with Enter, so that no half-typed number takes effect. */
function Typed({ setting, shared, onPut }: TypedProps) {
  const now = setting.value === null ? "" : String(setting.value);
  const [draft, setDraft] = useState(now);
  function take(event?: FormEvent): void {
    event?.preventDefault();
    if (draft.trim() !== now) onPut(typedValue(setting, draft));
  }
  return (
    <form onSubmit={take}>
      <input
        {...shared}
        inputMode={editorOf(setting).kind === "number" ? "decimal" : "text"}
        placeholder="by itself"
        value={draft}
        onChange={({ target }) => setDraft(target.value)}
        onBlur={() => take()}
        onKeyDown={({ key }) => key === "Escape" && setDraft(now)}
      />
    </form>
  );
}
