import type { Registry } from "../../lib/api";
import { countWords } from "../../lib/format";
import "./skipped.css";

/** Files that are no models, with the reason, for whoever misses one. And where was looked. */
export function Skipped({ registry }: { registry: Registry }) {
  const { skipped, scan_paths, port_range } = registry;
  return (
    <div className="about">
      {skipped.length > 0 && (
        <details>
          <summary>{countWords(skipped.length, "file")} skipped</summary>
          <ul>
            {skipped.map((file) => (
              <li key={file.path}>
                <code>{file.path}</code> <span>{file.reason}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      <details>
        <summary>{countWords(scan_paths.length, "folder")} searched</summary>
        <ul>
          {scan_paths.map((path) => (
            <li key={path}>
              <code>{path}</code>
            </li>
          ))}
        </ul>
      </details>
      <p>
        Ports {port_range.start} to {port_range.end}
      </p>
    </div>
  );
}
