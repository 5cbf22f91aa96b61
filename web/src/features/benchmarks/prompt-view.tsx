import { restate } from "../../lib/router";
import { Answers } from "./answers";
import { promptColumnsOf } from "./columns";
import { ModelTable } from "./model-table";
import { Verdicts } from "./verdicts";
import type { Answer, Benchmark, ModelResult } from "./wire";
import "./prompt-view.css";

interface Props {
  run: Benchmark;
  /** From 1. */
  place: number;
  nameOf: (model: string) => string;
}

/** One prompt of a run: what was asked, the figures, the answers side by side, and what the judge made of them. */
export function PromptView({ run, place, nameOf }: Props) {
  const at = Math.min(Math.max(1, place), run.results.length) - 1;
  const shown = run.results[at];
  if (shown === undefined) return null;
  const { prompt, answers } = shown;
  const open = (number: number) => restate("benchmarks", { run: String(run.id), prompt: String(number) });
  const verdicts = run.judgement?.comparisons.filter((each) => each.prompt === at) ?? [];
  return (
    <section className="prompt-view" aria-label="One prompt">
      <div className="bar">
        <h2 className="section-title">Prompt</h2>
        <select aria-label="Prompt" value={at + 1} onChange={(event) => open(Number(event.target.value))}>
          {run.results.map((result, index) => (
            <option key={result.prompt.name} value={index + 1}>
              {result.prompt.name}
            </option>
          ))}
        </select>
        {run.results.length > 1 && (
          <>
            <Step label="Previous prompt" words="‹" to={at} onPress={open} available={at > 0} />
            <Step
              label="Next prompt"
              words="›"
              to={at + 2}
              onPress={open}
              available={at + 1 < run.results.length}
            />
          </>
        )}
      </div>
      <blockquote className="prompt-text">
        {prompt.system && <p className="bench-quiet">System: {prompt.system}</p>}
        <p>{prompt.text}</p>
      </blockquote>
      <ModelTable
        label={`Models, prompt ${prompt.name}`}
        results={answers.map((answer) => resultOf(answer, at, run))}
        columns={promptColumnsOf(run)}
      />
      <h3 className="section-title">Answers</h3>
      <Answers
        key={prompt.name}
        answers={answers}
        samples={run.samples.filter((sample) => sample.prompt === at)}
        nameOf={nameOf}
      />
      {verdicts.length > 0 && <Verdicts verdicts={verdicts} nameOf={nameOf} />}
    </section>
  );
}

interface StepProps {
  label: string;
  words: string;
  to: number;
  available: boolean;
  onPress: (to: number) => void;
}

function Step({ label, words, to, available, onPress }: StepProps) {
  return (
    <button
      type="button"
      className="button"
      aria-label={label}
      aria-disabled={!available}
      onClick={() => available && onPress(to)}
    >
      {words}
    </button>
  );
}

/** A model's figures of this prompt alone, without what is told of the model as a whole. */
function resultOf(answer: Answer, at: number, run: Benchmark): ModelResult {
  const whole = run.by_model.find(({ model }) => model === answer.model);
  const own = run.samples.filter(({ model, prompt }) => model === answer.model && prompt === at);
  return {
    model: answer.model,
    model_id: whole?.model_id ?? null,
    display_name: whole?.display_name ?? answer.model,
    quantization: null,
    size_b: null,
    file_size_mb: null,
    load_seconds: null,
    was_running: false,
    memory_used_mb: null,
    memory_private_mb: null,
    requests: own.length,
    failed: answer.failed,
    figures: answer.figures,
    standing: null,
    error: null,
  };
}
