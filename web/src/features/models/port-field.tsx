import { type KeyboardEvent, useState } from "react";
import type { Model } from "../../lib/api";
import { useChoice } from "./actions";
import { putNote } from "./notes";

/** The port: a number pins it, blank gives it back to automatic. Taken on Enter or on leaving the field. */
export function PortField({ model }: { model: Model }) {
  const { shown, choose } = useChoice(model, "port", model.port_is_pinned ? model.port : null);
  const [draft, setDraft] = useState<string | null>(null);
  const pinned = String(shown ?? "");

  function commit(): void {
    const text = draft?.trim();
    setDraft(null);
    if (text === undefined || text === pinned) return;
    if (/^\d*$/.test(text)) choose(text === "" ? null : Number(text));
    else
      putNote(model.model_id, {
        error: `Not a port: ${text}`,
        detail: "A port is a number from 1024 to 65535.",
      });
  }

  function onKey(event: KeyboardEvent): void {
    if (event.key === "Enter") commit();
    if (event.key === "Escape") setDraft(null);
  }

  return (
    <input
      className="port"
      data-chosen={model.port_is_pinned}
      aria-label={`Port ${model.display_name}`}
      title={
        model.port_is_pinned ? "Pinned. Blank gives it back to automatic." : "Automatic. A number pins it."
      }
      inputMode="numeric"
      autoComplete="off"
      placeholder={model.port_is_pinned || model.port === null ? "auto" : String(model.port)}
      value={draft ?? pinned}
      onChange={(event) => setDraft(event.target.value)}
      onBlur={commit}
      onKeyDown={onKey}
    />
  );
}
