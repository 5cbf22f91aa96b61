import { lazy, Suspense, useState } from "react";
import { CopyButton } from "../../components/copy-button";
import { Tabs } from "../../components/tabs";
import { secondsWords } from "../../lib/format";
import { useIsNarrow } from "./width";
import type { Answer, Sample } from "./wire";

const Markdown = lazy(() => import("../../components/markdown"));

interface Props {
  answers: Answer[];
  /** Every request of this prompt. */
  samples: Sample[];
  nameOf: (model: string) => string;
}

/** Each model's first answer: side by side, on a phone one behind the other. */
export function Answers({ answers, samples, nameOf }: Props) {
  const isNarrow = useIsNarrow();
  const [picked, setPicked] = useState("");
  const open = answers.find(({ model }) => model === picked) ?? answers[0];
  if (open === undefined) return null;
  if (!isNarrow || answers.length === 1)
    return (
      <div className="answers-beside">
        {answers.map((answer) => (
          <OneAnswer key={answer.model} answer={answer} samples={samples} name={nameOf(answer.model)} />
        ))}
      </div>
    );
  return (
    <Tabs
      label="Whose answer"
      value={open.model}
      tabs={answers.map(({ model }) => ({ value: model, label: nameOf(model) }))}
      onPick={setPicked}
    >
      <OneAnswer answer={open} samples={samples} name={nameOf(open.model)} />
    </Tabs>
  );
}

interface OneAnswerProps {
  answer: Answer;
  samples: Sample[];
  name: string;
}

function OneAnswer({ answer, samples, name }: OneAnswerProps) {
  const { text, thinking, finish_reason, figures, model } = answer;
  const failure = samples.find((sample) => sample.error && sample.model === model);
  return (
    <section className="answer-card" aria-label={`Answer of ${name}`}>
      <h4>{name}</h4>
      {thinking && (
        <details className="bench-quiet">
          <summary>Thoughts</summary>
          <p className="answer-thoughts">{thinking}</p>
        </details>
      )}
      {text ? (
        <Suspense fallback={<p>{text}</p>}>
          <Markdown text={text} />
        </Suspense>
      ) : (
        <p className="bench-quiet">{text === "" ? "It answered with nothing." : "No answer."}</p>
      )}
      {failure?.error && (
        <p className="bench-refusal">
          {failure.error.error}. {failure.error.detail}
        </p>
      )}
      <footer className="bench-quiet">
        {finish_reason === "length" && <span>Cut off at its limit of tokens.</span>}
        {figures.total_seconds && <span>{secondsWords(figures.total_seconds.median)}</span>}
        {text && <CopyButton label={`Copy the answer of ${name}`} text={text} />}
      </footer>
    </section>
  );
}
