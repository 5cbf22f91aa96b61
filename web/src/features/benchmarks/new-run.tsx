import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useReducer, useState } from "react";
import { Banner } from "../../components/banner";
import { Press } from "../../components/press";
import { ApiError } from "../../lib/http";
import { Link } from "../../lib/router";
import { createStore } from "../../lib/store";
import { begin } from "./actions";
import { askOf, type Choice, choiceAfter, choiceOf, firstChoice, problemOf } from "./choice";
import { Conditions } from "./conditions";
import { forecastOf, type Known } from "./forecast";
import { useKnown } from "./known";
import { ModelPicker } from "./model-picker";
import { PromptPicker } from "./prompt-picker";
import { useRun } from "./runs";
import { Waiting } from "./waiting";
import "./new-run.css";

/** The choice on the form; it stays while one looks at another page. */
const draft = createStore<Choice | null>(null);

/** The form of a new run. from: an earlier run whose choice it begins with. */
export function NewRun({ from }: { from: number | null }) {
  const { known, error } = useKnown();
  return (
    <>
      <header className="bench-head">
        <Link className="bench-link" to="benchmarks">
          All runs
        </Link>
        <h1>New run</h1>
      </header>
      {known === null ? (
        <Waiting error={error} />
      ) : from === null ? (
        <Form known={known} initial={draft.get() ?? firstChoice(known.contestants)} />
      ) : (
        <Again id={from} known={known} />
      )}
    </>
  );
}

function Again({ id, known }: { id: number; known: Known }) {
  const { data: run, error } = useRun(id);
  if (run === undefined) return <Waiting error={error} />;
  return <Form known={known} initial={choiceOf(run, known.sets)} />;
}

function Form({ known, initial }: { known: Known; initial: Choice }) {
  const client = useQueryClient();
  const [choice, step] = useReducer(choiceAfter, initial);
  const [isAsked, setAsked] = useState(false);
  const [refusal, setRefusal] = useState<Error | null>(null);
  useEffect(() => draft.set(choice), [choice]);
  const problem = problemOf(choice, known.sets);
  async function start(): Promise<void> {
    setAsked(true);
    setRefusal(null);
    try {
      await begin(client, askOf(choice, known.sets));
    } catch (failure) {
      setRefusal(failure instanceof Error ? failure : new Error(String(failure)));
      setAsked(false);
    }
  }
  return (
    <form className="new-run" onSubmit={(event) => event.preventDefault()}>
      <div className="new-run-side">
        <ModelPicker choice={choice} contestants={known.contestants} step={step} />
        <Conditions choice={choice} contestants={known.contestants} step={step} />
      </div>
      <div className="new-run-side">
        <PromptPicker choice={choice} sets={known.sets} step={step} />
        <section className="new-run-part new-run-forecast" aria-labelledby="forecast-title">
          <h2 id="forecast-title">What it will do</h2>
          <ul aria-live="polite">
            {problem === null ? (
              forecastOf(choice, known).map((line) => <li key={line}>{line}</li>)
            ) : (
              <li>{problem}</li>
            )}
          </ul>
          {refusal && <Refusal failure={refusal} />}
          <Press
            className="button-main"
            available={problem === null && !isAsked}
            aria-describedby="forecast-title"
            onPress={() => void start()}
          >
            {known.before > 0 ? "PUT IN LINE" : "START"}
          </Press>
        </section>
      </div>
    </form>
  );
}

function Refusal({ failure }: { failure: Error }) {
  const isAnswer = failure instanceof ApiError;
  return (
    <Banner tone="bad" title={isAnswer ? failure.error : "It could not begin"}>
      {isAnswer ? failure.detail : failure.message}
    </Banner>
  );
}
