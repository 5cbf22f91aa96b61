import type { MouseEvent } from "react";
import { apiKey } from "../../lib/key";
import { copyMarkdown, download } from "./actions";
import { type Brief, exportPath, FORMATS, type Format } from "./wire";

const LABELS: Record<Format, string> = { csv: "CSV", json: "JSON", markdown: "Markdown" };

/** The run as files, and as Markdown in the clipboard. */
export function Exports({ run }: { run: Brief }) {
  function onClick(event: MouseEvent, format: Format): void {
    if (!apiKey()) return;
    event.preventDefault();
    void download(run, format);
  }
  return (
    <>
      <span className="bench-exports">
        Export
        {FORMATS.map((format) => (
          <a
            key={format}
            className="bench-link"
            href={exportPath(run.id, format)}
            download
            onClick={(event) => onClick(event, format)}
          >
            {LABELS[format]}
          </a>
        ))}
      </span>
      <button type="button" className="button" onClick={() => void copyMarkdown(run)}>
        COPY AS MARKDOWN
      </button>
    </>
  );
}
