import { lazy, Suspense, useDeferredValue } from "react";
import { CopyButton } from "../../components/copy-button";
import { countWords, secondsWords } from "../../lib/format";
import { Link } from "../../lib/router";
import { type Answer, type Failure, type Speed, spoken } from "./conversation";
import { NameOptions } from "./name-options";
import type { Target } from "./targets";
import "./answer.css";

const Markdown = lazy(() => import("../../components/markdown"));

interface Props {
  answer: Answer;
  targets: Target[];
  /** Has it answered again by the named; null where the conversation has gone on. */
  onRetry: ((model: string) => void) | null;
}

export function AnswerView({ answer, targets, onRetry }: Props) {
  const { text, thinking } = spoken(answer);
  const label = targets.find(({ name }) => name === answer.model)?.label ?? answer.model;
  const asking = answer.state === "asking";
  return (
    <section className="answer" aria-label={`Answer of ${label}`} aria-busy={asking}>
      <h2 className="answer-model">{label}</h2>
      {thinking && <Thoughts thinking={thinking} still={asking && text === ""} />}
      {text && (
        <Suspense fallback={<p className="answer-plain">{text}</p>}>
          <Markdown text={text} />
        </Suspense>
      )}
      {asking && text === "" && <p className="answer-quiet">{answer.news ?? (thinking ? "" : "Waiting…")}</p>}
      {answer.state === "whole" && !text && <p className="answer-quiet">It answered with nothing.</p>}
      {answer.state === "stopped" && <p className="answer-quiet">Stopped.</p>}
      {answer.cut && (
        <p className="answer-quiet">
          It reached its limit of tokens. Raise max_tokens below, or the model's ctx_size on Models.
        </p>
      )}
      {answer.failure && <FailureNote failure={answer.failure} />}
      {!asking && (
        <footer className="answer-foot">
          {answer.speed && <SpeedNote speed={answer.speed} />}
          {text && <CopyButton label={`Copy the answer of ${label}`} text={text} />}
          {onRetry && <Retry model={answer.model} targets={targets} onRetry={onRetry} />}
        </footer>
      )}
    </section>
  );
}

export function Thoughts({ thinking, still }: { thinking: string; still: boolean }) {
  const shown = useDeferredValue(thinking);
  const words = shown.split(/\s+/).length;
  return (
    <details className="thoughts">
      <summary>
        {still ? "Thinking…" : "Thought"} · {countWords(words, "word")}
      </summary>
      <p className="answer-plain">{shown}</p>
    </details>
  );
}

export function FailureNote({ failure: { error, detail, next } }: { failure: Failure }) {
  return (
    <div className="answer-failure" role="alert">
      <strong>{error}</strong>
      {detail && <p className="answer-plain">{detail}</p>}
      <p>
        {next} {next.includes("Models") && <Link to="">Go to Models</Link>}
      </p>
    </div>
  );
}

function SpeedNote({ speed: { tokens, tokensPerSecond, firstTokenSeconds } }: { speed: Speed }) {
  const words = [
    countWords(tokens, "token"),
    tokensPerSecond === null ? null : `${tokensPerSecond.toFixed(1)} tokens/s`,
    firstTokenSeconds === null ? null : `first after ${secondsWords(firstTokenSeconds)}`,
  ];
  return <span className="answer-speed">{words.filter(Boolean).join(" · ")}</span>;
}

interface RetryProps {
  /** The name that was asked. */
  model: string;
  targets: Target[];
  onRetry: (model: string) => void;
}

export function Retry({ model, targets, onRetry }: RetryProps) {
  return (
    <>
      <button type="button" className="button button-plain" onClick={() => onRetry(model)}>
        Retry
      </button>
      <select
        className="retry-with"
        aria-label="Retry with another model or mode"
        value=""
        onChange={(event) => onRetry(event.target.value)}
      >
        <option value="">Retry with…</option>
        <NameOptions targets={targets.filter(({ name }) => name !== model)} />
      </select>
    </>
  );
}
