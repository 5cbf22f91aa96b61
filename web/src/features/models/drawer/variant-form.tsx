import { type FormEvent, useState } from "react";
import { Press } from "../../../components/press";
import type { Variant } from "../settings";
import { SAMPLING, type VariantDraft, variantDraft, variantIn } from "./variants";

interface FormProps {
  variant: Variant;
  refusal: string | null;
  isSaving: boolean;
  onCancel: () => void;
  onSave: (variant: Variant) => void;
}

/** One variant as fields; what has no field of its own is written as JSON. */
export function VariantForm({ variant, refusal, isSaving, onCancel, onSave }: FormProps) {
  const [draft, setDraft] = useState<VariantDraft>(() => variantDraft(variant));
  const [problem, setProblem] = useState<string | null>(null);
  const change = (part: Partial<VariantDraft>) => setDraft((before) => ({ ...before, ...part }));
  function submit(event: FormEvent): void {
    event.preventDefault();
    const read = variantIn(draft);
    setProblem(typeof read === "string" ? read : null);
    if (typeof read !== "string") onSave(read);
  }
  return (
    <form className="variant-form" onSubmit={submit}>
      <label>
        Name
        <input
          value={draft.name}
          placeholder="coder"
          spellCheck={false}
          onChange={({ target }) => change({ name: target.value })}
          // biome-ignore lint/a11y/noAutofocus: the person has just asked for this form
          autoFocus
        />
      </label>
      <label>
        System prompt
        <textarea
          rows={4}
          value={draft.systemPrompt}
          placeholder="You answer with code and nothing else."
          onChange={({ target }) => change({ systemPrompt: target.value })}
        />
      </label>
      <fieldset className="variant-sampling">
        <legend>Sampling</legend>
        {SAMPLING.map(({ name, hint }) => (
          <label key={name}>
            {name}
            <input
              inputMode="decimal"
              placeholder={hint}
              value={draft.sampling[name] ?? ""}
              onChange={({ target }) => change({ sampling: { ...draft.sampling, [name]: target.value } })}
            />
          </label>
        ))}
      </fieldset>
      <label>
        Further fields of a request, as JSON
        <textarea
          rows={2}
          spellCheck={false}
          placeholder='{"stop": ["###"]}'
          value={draft.more}
          onChange={({ target }) => change({ more: target.value })}
        />
      </label>
      <label>
        chat_template_kwargs, as JSON
        <textarea
          rows={2}
          spellCheck={false}
          placeholder='{"enable_thinking": false}'
          value={draft.template}
          onChange={({ target }) => change({ template: target.value })}
        />
      </label>
      <div role="alert">{(problem ?? refusal) && <p className="refusal">{problem ?? refusal}</p>}</div>
      <div className="save-buttons">
        <Press available onPress={onCancel}>
          CANCEL
        </Press>
        <button type="submit" className="button button-main" aria-disabled={isSaving}>
          SAVE VARIANT
        </button>
      </div>
    </form>
  );
}
