import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Press } from "../../../components/press";
import { countWords } from "../../../lib/format";
import { removing, SOURCES, useFolders } from "./folders";

/** Every folder that was searched, with what is in it, or why nothing could be found there. */
export function Looked() {
  const { data } = useFolders();
  const remove = useMutation(removing(useQueryClient()));
  if (data === undefined) return <p className="quiet">Asking…</p>;
  if (data.folders.length === 0)
    return <p>Nowhere: no folder is named, and other programs keep no models here.</p>;
  return (
    <ul className="looked">
      {data.folders.map(({ path, source, problem, models, can_remove }) => (
        <li key={path} data-problem={problem !== null}>
          <code>{path}</code>
          <span className="quiet">{SOURCES[source]}</span>
          <span className="looked-found">{problem ?? countWords(models, "model")}</span>
          {can_remove && (
            <Press
              className="button-plain"
              aria-label={`Remove ${path}`}
              available={!remove.isPending}
              onPress={() => remove.mutate(path)}
            >
              Remove
            </Press>
          )}
        </li>
      ))}
    </ul>
  );
}
