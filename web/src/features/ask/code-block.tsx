import { CopyButton } from "./copy-button";

export function CodeBlock({ language, text }: { language: string; text: string }) {
  const name = language.split(/\s/, 1)[0] ?? "";
  return (
    <figure className="code-block">
      <figcaption>
        <span>{name}</span>
        <CopyButton label="Copy code" text={text} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </figure>
  );
}
