import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef } from "react";
import { Press } from "../components/press";
import { keepKey, keyWanted } from "../lib/key";
import { useStore } from "../lib/store";
import "./key-dialog.css";

/** Opens when the control plane wants a key that this browser does not have. */
export function KeyDialog() {
  const wanted = useStore(keyWanted);
  const client = useQueryClient();
  const dialog = useRef<HTMLDialogElement>(null);

  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (wanted === "no") element.close();
    else if (!element.open) element.showModal();
  }, [wanted]);

  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const key = String(form.get("key") ?? "").trim();
    if (key === "") return;
    keepKey(key, form.get("keep") !== null);
    event.currentTarget.reset();
    void client.invalidateQueries();
  }

  return (
    <dialog
      ref={dialog}
      className="key-dialog"
      aria-labelledby="key-title"
      onClose={() => keyWanted.set("no")}
    >
      <form onSubmit={submit}>
        <h2 id="key-title">API key</h2>
        <p>
          {wanted === "refused"
            ? "The control plane refused this key. Try another one."
            : "This control plane asks for a key: the value of SYNAPSE_API_KEY where it runs."}
        </p>
        <label className="key-field">
          Key
          <input name="key" type="password" autoComplete="off" required />
        </label>
        <label className="key-keep">
          <input name="keep" type="checkbox" /> Remember it in this browser
        </label>
        <div className="key-buttons">
          <Press available onPress={() => dialog.current?.close()}>
            Cancel
          </Press>
          <button type="submit" className="button button-main">
            Use key
          </button>
        </div>
      </form>
    </dialog>
  );
}
