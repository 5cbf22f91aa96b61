import { CopyButton } from "./copy-button";
import "./code-block.css";

interface CodeProps {
  language: string;
  text: string;
  /** What the copying button is called, where there is more than one block. */
  copyLabel?: string;
}

export function CodeBlock({ language, text, copyLabel = "Copy code" }: CodeProps) {
  const name = language.split(/\s/, 1)[0] ?? "";
  return (
    <figure className="code-block">
      <figcaption>
        <span>{name}</span>
        <CopyButton label={copyLabel} text={text} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </figure>
  );
}
