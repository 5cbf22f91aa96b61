import { useState } from "react";
import { CopyButton } from "../../../components/copy-button";
import { Press } from "../../../components/press";
import type { Model } from "../../../lib/api";
import { refusalOf } from "../../../lib/http";
import { useEdit } from "../actions";
import { type Variant, variantsOf } from "../settings";
import { AliasEditor } from "./alias-editor";
import { namesOf } from "./snippets";
import { VariantForm } from "./variant-form";
import "./names.css";

/** What a model may be asked for as: its names, and variants with a manner of their own. */
export function NamesTab({ model }: { model: Model }) {
  return (
    <div className="names-tab">
      <section className="drawer-part">
        <h3>Requests may ask for</h3>
        <ul className="names">
          {namesOf(model).map(({ name, note }) => (
            <li key={name}>
              <code>{name}</code>
              <CopyButton label={`Copy ${name}`} text={name} />
              <span className="quiet">{note}</span>
            </li>
          ))}
        </ul>
      </section>
      <AliasEditor model={model} />
      <Variants model={model} />
    </div>
  );
}

/** Kept in one list, which is saved as a whole; each edit changes one of them. */
function Variants({ model }: { model: Model }) {
  const edit = useEdit(model, "here");
  const variants = variantsOf(model);
  /** The place of the one that is edited; past the end for a new one. */
  const [edited, setEdited] = useState<number | null>(null);
  const refusal = edit.isError ? refusalOf(edit.error) : null;
  function save(all: Variant[]): void {
    const settings = { variants: all.length > 0 ? all : null };
    edit.mutate({ settings }, { onSuccess: () => setEdited(null) });
  }
  function open(place: number | null): void {
    edit.reset();
    setEdited(place);
  }
  const form = (place: number, variant: Variant) => (
    <VariantForm
      variant={variant}
      refusal={refusal && `${refusal.error}. ${refusal.detail}`}
      isSaving={edit.isPending}
      onCancel={() => open(null)}
      onSave={(saved) => save(variants.toSpliced(place, 1, saved))}
    />
  );
  return (
    <section className="drawer-part">
      <h3>Variants</h3>
      <p className="quiet">
        A variant is a further name with its own system prompt and sampling. It is answered by the same
        server, so it takes no memory, and changes count at once. What a request says itself goes first.
      </p>
      {variants.map((variant, place) => (
        <article key={variant.name} className="variant" aria-label={`Variant ${variant.name}`}>
          {edited === place ? (
            form(place, variant)
          ) : (
            <Shown
              variant={variant}
              onEdit={() => open(place)}
              onRemove={() => save(variants.toSpliced(place, 1))}
            />
          )}
        </article>
      ))}
      {edited === variants.length ? (
        <article className="variant" aria-label="New variant">
          {form(variants.length, { name: "", sampling: {}, chat_template_kwargs: {} })}
        </article>
      ) : (
        <Press available onPress={() => open(variants.length)}>
          ADD A VARIANT
        </Press>
      )}
      {refusal && edited === null && (
        <p className="refusal" role="alert">{`${refusal.error}. ${refusal.detail}`}</p>
      )}
    </section>
  );
}

function Shown({
  variant,
  onEdit,
  onRemove,
}: {
  variant: Variant;
  onEdit: () => void;
  onRemove: () => void;
}) {
  const { name, system_prompt, sampling, chat_template_kwargs } = variant;
  const given = Object.entries({ ...sampling, ...chat_template_kwargs });
  return (
    <>
      <div className="variant-head">
        <code>{name}</code>
        <CopyButton label={`Copy ${name}`} text={name} />
        <Press className="button-plain" aria-label={`Edit ${name}`} available onPress={onEdit}>
          Edit
        </Press>
        <Press className="button-plain" aria-label={`Remove ${name}`} available onPress={onRemove}>
          Remove
        </Press>
      </div>
      {system_prompt && <p className="variant-prompt">{system_prompt}</p>}
      {given.length > 0 && (
        <p className="quiet">{given.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(", ")}</p>
      )}
    </>
  );
}
