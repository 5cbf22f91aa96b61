import { type FormEvent, useState } from "react";
import type { Model } from "../../../lib/api";
import { refusalOf } from "../../../lib/http";
import { useEdit } from "../actions";

/** Further names that requests may use, split at commas. */
export function AliasEditor({ model }: { model: Model }) {
  const edit = useEdit(model, "here");
  const [draft, setDraft] = useState<string | null>(null);
  const known = model.aliases.join(", ");
  const refusal = edit.isError ? refusalOf(edit.error) : null;
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (draft === null || draft === known) return;
    const aliases = draft
      .split(",")
      .map((alias) => alias.trim())
      .filter(Boolean);
    edit.mutate({ aliases }, { onSuccess: () => setDraft(null) });
  }
  return (
    <section className="drawer-part">
      <h3>Also called</h3>
      <p className="quiet">Further names that requests may use in place of its id, split at commas.</p>
      <form className="alias-form" onSubmit={submit}>
        <input
          aria-label={`Aliases of ${model.display_name}`}
          placeholder="gpt-4o, my-coder"
          value={draft ?? known}
          onChange={(event) => setDraft(event.target.value)}
        />
        <button type="submit" className="button">
          SAVE
        </button>
      </form>
      <div role="alert">{refusal && <p className="refusal">{`${refusal.error}. ${refusal.detail}`}</p>}</div>
    </section>
  );
}
