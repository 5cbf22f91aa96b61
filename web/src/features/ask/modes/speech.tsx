import { lazy, memo, Suspense, useState } from "react";
import { CopyButton } from "../../../components/copy-button";
import type { Figures, QueryRecord } from "../../../lib/api";
import { countWords, rateWords, secondsWords } from "../../../lib/format";
import { Thoughts } from "../answer";
import { speakerOf, useNames } from "./names";
import { isOpen, type Note, notesOf } from "./reading";
import type { Spoken } from "./record";
import "./speech.css";

const Markdown = lazy(() => import("../../../components/markdown"));

interface Props {
  record: QueryRecord;
  /** What one member says: the last turn holds, those before it failed. */
  turns: Spoken[];
  /** Shown instead of the turn's own text: JSON is none that one reads. */
  shape?: "text" | "code";
  tone?: "final" | "pro" | "con" | "neutral";
}

/** One member's say: who, what it was given, what it thought and said, and what that took. */
export function Speech({ record, turns, shape = "text", tone }: Props) {
  const { labelOf } = useNames();
  const turn = turns.at(-1);
  if (!turn) return null;
  const speaker = speakerOf(record, turn);
  const model = labelOf(turn.model);
  const name = speaker ? `${speaker}, ${model}` : model;
  return (
    <section
      className="speech"
      aria-label={name}
      aria-busy={isOpen(turn) && record.status === "running"}
      data-tone={tone}
    >
      <header className="speech-head">
        <h2>
          {speaker && <span>{speaker}</span>}
          <span className="speech-model">{model}</span>
        </h2>
        <TurnTime turn={turn} />
      </header>
      {turns.slice(0, -1).map((earlier) => (
        <Earlier key={earlier.turn} turn={earlier} />
      ))}
      <Notes notes={notesOf(record, turns)} />
      <TurnBody turn={turn} isUnderWay={record.status === "running"} shape={shape} />
      <footer className="speech-foot">
        {turn.figures && <FiguresLine figures={turn.figures} />}
        {!isOpen(turn) && tone !== "final" && turn.text.trim() && (
          <CopyButton label={`Copy what ${name} said`} text={turn.text.trim()} />
        )}
      </footer>
      <Given record={record} turn={turn} />
    </section>
  );
}

interface BodyProps {
  turn: Spoken;
  isUnderWay: boolean;
  shape: "text" | "code";
}

const TurnBody = memo(function TurnBody({ turn, isUnderWay, shape }: BodyProps) {
  const { waitOf } = useNames();
  const isGoing = isOpen(turn) && isUnderWay;
  const text = turn.text.trim();
  return (
    <>
      {turn.thinking && <Thoughts thinking={turn.thinking} still={isGoing && text === ""} />}
      {text && shape === "code" && <pre className="speech-code">{text}</pre>}
      {text && shape === "text" && (
        <Suspense fallback={<p className="answer-plain">{text}</p>}>
          <Markdown text={text} />
        </Suspense>
      )}
      {isGoing && !text && !turn.thinking && <p className="answer-quiet">{waitOf(turn.model)}</p>}
      {isOpen(turn) && !isUnderWay && <p className="answer-quiet">Cut off here.</p>}
      {turn.figures?.finish_reason === "length" && (
        <p className="answer-quiet">It reached its limit of tokens.</p>
      )}
      {turn.error && <p className="speech-error">{turn.error}</p>}
    </>
  );
});

/** A turn that failed, after which somebody took over. */
function Earlier({ turn }: { turn: Spoken }) {
  const { labelOf } = useNames();
  return (
    <details className="speech-earlier">
      <summary>{labelOf(turn.model)} failed first</summary>
      {turn.error && <p className="speech-error">{turn.error}</p>}
      {turn.text.trim() && <p className="answer-plain">{turn.text.trim()}</p>}
    </details>
  );
}

/** From when to when, in the whole answer's time. */
function TurnTime({ turn }: { turn: Spoken }) {
  const began = secondsWords(turn.began_seconds);
  if (turn.ended_seconds == null) return null;
  return (
    <span className="speech-time" title={`From ${began} to ${secondsWords(turn.ended_seconds)}`}>
      {secondsWords(turn.ended_seconds - turn.began_seconds)}
    </span>
  );
}

const NOTEWORTHY_SECONDS = 0.2;

function FiguresLine({ figures }: { figures: Figures }) {
  const { output_tokens, output_per_second, first_token_seconds, queue_seconds, load_seconds } = figures;
  const words = [
    output_tokens !== null && countWords(output_tokens, "token"),
    output_per_second !== null && rateWords(output_per_second),
    first_token_seconds !== null && `first after ${secondsWords(first_token_seconds)}`,
    queue_seconds > NOTEWORTHY_SECONDS && `waited ${secondsWords(queue_seconds)}`,
    load_seconds > NOTEWORTHY_SECONDS && `loaded ${secondsWords(load_seconds)}`,
  ];
  return <span className="speech-figures">{words.filter(Boolean).join(" · ")}</span>;
}

export function Notes({ notes }: { notes: Note[] }) {
  if (notes.length === 0) return null;
  return (
    <ul className="mode-notes" aria-label="Notes">
      {notes.map(({ text }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: notes are only ever added
        <li key={index}>{text}</li>
      ))}
    </ul>
  );
}

/** What a model was given of a turn, in words. */
function textOf({ member, role }: Spoken): string {
  const words: Partial<Record<Spoken["role"], string>> = {
    draft: "the draft",
    review: `the review by ${member}`,
    refine: `${member} (refined)`,
    moderator: "the moderator",
  };
  return words[role] ?? member;
}

/** All that the model was given, and whose texts that were. */
function Given({ record, turn }: { record: QueryRecord; turn: Spoken }) {
  const [isShown, setShown] = useState(false);
  const heard = record.turns.filter(({ turn: number }) => turn.hears.includes(number));
  const from = [...new Set(heard.map(textOf))];
  return (
    <details className="speech-given" onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>Was given {from.length > 0 ? from.join(", ") : "the question"}</summary>
      {isShown && (
        <ol>
          {turn.messages.map(({ role, content }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: messages never change
            <li key={index}>
              <small>{role}</small>
              <p className="answer-plain">{content}</p>
            </li>
          ))}
        </ol>
      )}
    </details>
  );
}
