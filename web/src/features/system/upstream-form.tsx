import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Press } from "../../components/press";
import { refusalOf } from "../../lib/http";
import { putting } from "./queries";
import type { Upstream, UpstreamAsk } from "./wire";

/** A new upstream, or one that is known; its key is never shown, and stays where the field is left empty. */
export function UpstreamForm({ upstream, onClose }: { upstream: Upstream | null; onClose: () => void }) {
  const put = useMutation(putting(useQueryClient()));
  const [name, setName] = useState(upstream?.name ?? "");
  const [url, setUrl] = useState(upstream?.url ?? "");
  const [key, setKey] = useState("");
  const [header, setHeader] = useState<Upstream["key_header"]>(upstream?.key_header ?? "authorization");
  const [model, setModel] = useState(upstream?.model ?? "");
  const refusal = put.isError ? refusalOf(put.error) : null;
  const isWhole = name.trim() !== "" && url.trim() !== "";
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!isWhole || put.isPending) return;
    const ask: UpstreamAsk = { url: url.trim(), key_header: header, model: model.trim() || null };
    if (key !== "") ask.api_key = key;
    put.mutate({ name: name.trim(), ask }, { onSuccess: onClose });
  }
  return (
    <form
      className="upstream-form"
      aria-label={upstream ? `Edit ${upstream.name}` : "New upstream"}
      onSubmit={submit}
    >
      <label>
        Name
        <input value={name} readOnly={upstream !== null} onChange={({ target }) => setName(target.value)} />
      </label>
      <label>
        URL
        <input
          type="url"
          placeholder="http://10.0.0.5:8000/v1"
          value={url}
          onChange={({ target }) => setUrl(target.value)}
        />
      </label>
      <label>
        Key
        <input
          type="password"
          autoComplete="off"
          placeholder={upstream?.has_key ? "stays as it is" : "none"}
          value={key}
          onChange={({ target }) => setKey(target.value)}
        />
      </label>
      <label>
        Key goes as
        <select value={header} onChange={({ target }) => setHeader(target.value as Upstream["key_header"])}>
          <option value="authorization">Authorization: Bearer</option>
          <option value="x-api-key">X-Api-Key</option>
        </select>
      </label>
      <label>
        Model that the name alone means
        <input
          placeholder="the only one that it lists"
          value={model}
          onChange={({ target }) => setModel(target.value)}
        />
      </label>
      <div role="alert">
        {refusal && (
          <p className="system-problem">
            <strong>{refusal.error}</strong> {refusal.detail}
          </p>
        )}
      </div>
      <div className="upstream-actions">
        <button type="submit" className="button button-main" aria-disabled={!isWhole || put.isPending}>
          {put.isPending ? "ASKING IT…" : "SAVE"}
        </button>
        <Press available onPress={onClose}>
          CANCEL
        </Press>
      </div>
    </form>
  );
}
