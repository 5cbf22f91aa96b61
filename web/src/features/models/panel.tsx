import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Press } from "../../components/press";
import { api, type Model } from "../../lib/api";
import { memoryWords } from "../../lib/format";
import { AliasEditor } from "./alias-editor";
import { noteOf } from "./notes";
import { SettingsEditor } from "./settings-editor";
import "./panel.css";

/** What a row has no room for: the facts, the settings and the log of one model. */
export function Panel({ model }: { model: Model }) {
  return (
    <section className="panel" aria-label={`Settings of ${model.display_name}`}>
      <Facts model={model} />
      <div>
        <SettingsEditor model={model} />
        <AliasEditor model={model} />
      </div>
      <Log model={model} />
    </section>
  );
}

function Facts({ model }: { model: Model }) {
  const facts: [string, string | null][] = [
    ["Id", model.model_id],
    ["File", model.file_path],
    ["On disk", memoryWords(model.file_size_mb) + (model.shards > 1 ? ` in ${model.shards} shards` : "")],
    ["From", model.repo],
    ["Architecture", model.architecture],
    ["Kind", [model.kind, ...model.capabilities].join(", ")],
    ["Estimated", model.estimated_memory_mb === null ? null : memoryWords(model.estimated_memory_mb)],
    ["Measured", model.measured_memory_mb === null ? null : memoryWords(model.measured_memory_mb)],
  ];
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== null)
        .map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function Log({ model }: { model: Model }) {
  const [shown, setShown] = useState(false);
  const log = useQuery({
    queryKey: ["log", model.model_id],
    queryFn: ({ signal }) => api.log(model.model_id, signal),
    enabled: shown,
    refetchInterval: 2000,
  });
  return (
    <div className="log">
      <Press aria-expanded={shown} available onPress={() => setShown(!shown)}>
        {shown ? "Hide log" : "Show log"}
      </Press>
      {shown && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box must be reachable by keyboard
        <pre role="log" tabIndex={0} aria-label={`Log of ${model.display_name}`}>
          {log.error ? noteOf(log.error).error : (log.data?.lines.join("\n") ?? "…") || "Nothing logged yet."}
        </pre>
      )}
    </div>
  );
}
