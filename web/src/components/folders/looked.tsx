import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { SkippedFile } from "../../lib/api";
import { removing, SOURCES, useFolders } from "../../lib/folders";
import { countWords } from "../../lib/format";
import { Press } from "../press";
import "../words.css";
import "./folders.css";

const MOST_FILES = 5;

/** Every folder that was searched, with what is in it, or why nothing could be found there. */
export function Looked({ skipped }: { skipped: SkippedFile[] }) {
  const { data } = useFolders();
  const remove = useMutation(removing(useQueryClient()));
  if (data === undefined) return <p className="quiet">Asking…</p>;
  if (data.folders.length === 0)
    return <p>Nowhere: no folder is named, and other programs keep no models here.</p>;
  const paths = new Set(data.folders.map(({ path }) => path));
  const files = skipped.filter(({ path }) => !paths.has(path));
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
      {files.slice(0, MOST_FILES).map(({ path, reason }) => (
        <li key={path} data-problem="true">
          <code>{path}</code>
          <span className="quiet">no model</span>
          <span className="looked-found">{reason}</span>
        </li>
      ))}
    </ul>
  );
}
