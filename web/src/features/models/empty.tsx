import type { Registry } from "../../lib/api";
import { percentWords } from "../../lib/format";
import "./empty.css";

/** No models: where they were looked for, and what to do. */
export function Empty({ registry }: { registry: Registry }) {
  if (registry.scanning || registry.last_scan === null) {
    return (
      <section className="empty">
        <h2>Looking for models… {registry.scan_progress !== null && percentWords(registry.scan_progress)}</h2>
        <Paths paths={registry.scan_paths} />
      </section>
    );
  }
  return (
    <section className="empty">
      <h2>No models found</h2>
      <p>Every GGUF file in these folders becomes a row here:</p>
      <Paths paths={registry.scan_paths} />
      <p>
        Put a file into one of them, or name another folder in <code>MODEL_SCAN_PATH</code> and start again.
        Then press RE-SCAN HUB. A small one to begin with:
      </p>
      <pre>hf download Qwen/Qwen2.5-0.5B-Instruct-GGUF qwen2.5-0.5b-instruct-q8_0.gguf</pre>
    </section>
  );
}

function Paths({ paths }: { paths: string[] }) {
  if (paths.length === 0) return <p>No folder is set to be searched.</p>;
  return (
    <ul>
      {paths.map((path) => (
        <li key={path}>
          <code>{path}</code>
        </li>
      ))}
    </ul>
  );
}
