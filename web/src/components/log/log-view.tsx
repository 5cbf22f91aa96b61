import { memo, useLayoutEffect, useRef, useState } from "react";
import { Press } from "../press";
import { marked, plainOf, spansOf } from "./ansi";
import type { Line } from "./tail";
import "./log-view.css";

interface LogViewProps {
  label: string;
  lines: Line[];
  search: string;
  wraps: boolean;
  coloured: boolean;
  /** Said in the place of lines while there are none. */
  nothing: string;
}

const NEAR_END_PX = 24;

/** A log's lines. Stays at the end for as long as the person is there. */
export function LogView({ label, lines, search, wraps, coloured, nothing }: LogViewProps) {
  const box = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight });
  // biome-ignore lint/correctness/useExhaustiveDependencies: after every change of what is shown
  useLayoutEffect(() => {
    if (atEnd) toEnd();
  }, [lines, wraps, atEnd]);
  function look(): void {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    setAtEnd(scrollHeight - scrollTop - clientHeight < NEAR_END_PX);
  }
  return (
    <div className="log-frame">
      <div
        ref={box}
        className="log-view"
        data-wraps={wraps}
        role="log"
        // Read out line by line, a busy log would drown everything else.
        aria-live="off"
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box must be reachable by keyboard
        tabIndex={0}
        onScroll={look}
      >
        {lines.length === 0 && <p className="log-nothing">{nothing}</p>}
        {lines.map(({ id, text, who }) => (
          <LogLine key={id} who={who} text={text} search={search} coloured={coloured} />
        ))}
      </div>
      {!atEnd && (
        <Press className="log-to-end" available onPress={toEnd}>
          To the end ↓
        </Press>
      )}
    </div>
  );
}

interface LineProps {
  who: string;
  text: string;
  search: string;
  coloured: boolean;
}

const LogLine = memo(function LogLine({ who, text, search, coloured }: LineProps) {
  const plain = plainOf(text);
  // A match may begin in one colour and end in another: where one is, the mark is what counts.
  const matches = marked(plain, search);
  const isMatched = matches.some(({ isMatch }) => isMatch);
  return (
    <div className="log-line" data-level={levelOf(plain)}>
      {who && <span className="log-who">{who} </span>}
      {isMatched || !coloured
        ? matches.map((part, index) =>
            // biome-ignore lint/suspicious/noArrayIndexKey: a line's parts never change their places
            part.isMatch ? <mark key={index}>{part.text}</mark> : <span key={index}>{part.text}</span>,
          )
        : spansOf(text).map((span, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line's parts never change their places
            <span key={index} data-ansi={span.colour ?? undefined} data-bold={span.bold || undefined}>
              {span.text}
            </span>
          ))}
      {"\n"}
    </div>
  );
});

const LLAMA_SERVER = /^(?:\d+\.\d+\.\d+\.\d+ )?([WE]) /;
const OWN = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+ (WARNING|ERROR|CRITICAL)\b/;

/** As the control plane tells levels apart; only what should catch the eye. */
export function levelOf(plain: string): "warning" | "error" | undefined {
  const name = (LLAMA_SERVER.exec(plain) ?? OWN.exec(plain))?.[1];
  if (name === undefined) return undefined;
  return name.startsWith("W") ? "warning" : "error";
}
