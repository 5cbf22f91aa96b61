import { lexer, type Token, type Tokens } from "marked";
import { Fragment, type ReactNode, useDeferredValue } from "react";
import { CodeBlock } from "./code-block";
import "./markdown.css";

// Tokens become elements, never HTML: nothing that a model writes can be markup of the page.

/** What a model wrote. Loaded only when there is an answer to show. */
export default function Markdown({ text }: { text: string }) {
  // While it streams, typing and scrolling go first.
  const shown = useDeferredValue(text);
  return <div className="markdown">{blocks(lexer(shown))}</div>;
}

function blocks(tokens: Token[]): ReactNode {
  // biome-ignore lint/suspicious/noArrayIndexKey: a text only grows at its end, so that the place is the identity
  return tokens.map((token, index) => <Fragment key={index}>{element(token as Tokens.Generic)}</Fragment>);
}

function element(token: Tokens.Generic): ReactNode {
  const inner = token.tokens ? blocks(token.tokens) : decoded(token.text ?? token.raw);
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return <Heading depth={token.depth}>{inner}</Heading>;
    case "paragraph":
      return <p>{inner}</p>;
    case "blockquote":
      return <blockquote>{inner}</blockquote>;
    case "code":
      return <CodeBlock language={token.lang ?? ""} text={token.text} />;
    case "list":
      return <List list={token as Tokens.List} />;
    case "checkbox":
      return <input type="checkbox" checked={token.checked} readOnly aria-label="Done" />;
    case "table":
      return <Table table={token as Tokens.Table} />;
    case "hr":
      return <hr />;
    case "br":
      return <br />;
    case "strong":
      return <strong>{inner}</strong>;
    case "em":
      return <em>{inner}</em>;
    case "del":
      return <del>{inner}</del>;
    case "codespan":
      return <code>{token.text}</code>;
    case "link":
      return <Away href={token.href}>{inner}</Away>;
    case "image":
      return <Away href={token.href}>{token.text || token.href}</Away>;
    case "html":
      return token.raw;
    default:
      return inner;
  }
}

/** One step down: the page's own heading comes first. */
function Heading({ depth, children }: { depth: number; children: ReactNode }) {
  const Level = `h${Math.min(6, depth + 2)}` as "h3" | "h4" | "h5" | "h6";
  return <Level data-depth={depth}>{children}</Level>;
}

function List({ list }: { list: Tokens.List }) {
  const items = list.items.map((item, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: as above
    <li key={index}>{blocks(item.tokens)}</li>
  ));
  return list.ordered ? <ol start={list.start === "" ? 1 : list.start}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ table }: { table: Tokens.Table }) {
  const cells = (row: Tokens.TableCell[], Cell: "th" | "td") =>
    row.map((cell, index) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: as above
      <Cell key={index} style={cell.align ? { textAlign: cell.align } : undefined}>
        {blocks(cell.tokens)}
      </Cell>
    ));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="markdown-table" tabIndex={0} aria-label="Table">
      <table>
        <thead>
          <tr>{cells(table.header, "th")}</tr>
        </thead>
        <tbody>
          {table.rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <tr key={index}>{cells(row, "td")}</tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** A link that a model wrote. What is no address of the web stays text. */
function Away({ href, children }: { href: string; children: ReactNode }) {
  if (!/^(https?:|mailto:)/i.test(href)) return children;
  return (
    <a href={href} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  );
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

function decoded(text: string): string {
  return text.replace(/&(#\d{1,6}|[a-z]{2,4});/g, (whole, name: string) =>
    name.startsWith("#") ? String.fromCodePoint(Number(name.slice(1))) : (ENTITIES[name] ?? whole),
  );
}
