import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Press } from "../../components/press";
import { countWords } from "../../lib/format";
import { removing, useUpstreams } from "./queries";
import { UpstreamForm } from "./upstream-form";
import type { Upstream } from "./wire";
import "./upstreams.css";

const NEW = "";

/** Servers elsewhere: another machine, vLLM, a hosted API; each asked for as NAME/MODEL. */
export function Upstreams() {
  const { data, error } = useUpstreams();
  const [edited, setEdited] = useState<string | null>(null);
  const close = () => setEdited(null);
  if (data === undefined)
    return <p className="section-note">{error ? error.message : "Asking the control plane…"}</p>;
  return (
    <>
      <p className="section-note">
        Another machine, vLLM or a hosted API, asked here like any model: as <code>NAME/MODEL</code>
      </p>
      <ul className="upstreams">
        {data.upstreams.map((upstream) => (
          <li key={upstream.name}>
            {edited === upstream.name ? (
              <UpstreamForm upstream={upstream} onClose={close} />
            ) : (
              <UpstreamRow upstream={upstream} onEdit={() => setEdited(upstream.name)} />
            )}
          </li>
        ))}
      </ul>
      {edited === NEW ? (
        <UpstreamForm upstream={null} onClose={close} />
      ) : (
        <Press available onPress={() => setEdited(NEW)}>
          ADD AN UPSTREAM
        </Press>
      )}
    </>
  );
}

function UpstreamRow({ upstream, onEdit }: { upstream: Upstream; onEdit: () => void }) {
  const remove = useMutation(removing(useQueryClient()));
  const [isAsked, setAsked] = useState(false);
  const { name, url, has_key, models, reachable, problem } = upstream;
  return (
    <div className="upstream">
      <div className="upstream-head">
        <strong>{name}</strong> <code>{url}</code>
      </div>
      <p className="section-note">
        {reachable === null
          ? "Not asked yet"
          : reachable
            ? countWords(models.length, "model")
            : "Not reachable"}
        {has_key && ", with a key"}
      </p>
      {problem && <p className="system-problem">{problem}</p>}
      {models.length > 0 && (
        <details>
          <summary>What may be asked for</summary>
          <ul className="upstream-models">
            {models.map((model) => (
              <li key={model}>
                <code>
                  {name}/{model}
                </code>
              </li>
            ))}
          </ul>
        </details>
      )}
      <div className="upstream-actions">
        <Press aria-label={`Edit ${name}`} available onPress={onEdit}>
          EDIT
        </Press>
        <Press
          aria-label={isAsked ? `Remove ${name} and forget its key` : `Remove ${name}`}
          available={!remove.isPending}
          onPress={() => (has_key && !isAsked ? setAsked(true) : remove.mutate(upstream))}
          onBlur={() => setAsked(false)}
        >
          {isAsked ? "REMOVE, AND FORGET ITS KEY" : "REMOVE"}
        </Press>
      </div>
    </div>
  );
}
