import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Press } from "../../components/press";
import { go, Link } from "../../lib/router";
import { begin } from "./actions";
import { askOf, firstChoice } from "./choice";
import { firstOf } from "./contestants";
import { forecastOf } from "./forecast";
import { useKnown } from "./known";
import { Waiting } from "./waiting";

/** No run yet: what one tells, and a sensible first one in a click. */
export function Empty() {
  return (
    <section className="bench-empty">
      <h1>Benchmarks</h1>
      <p>
        A run puts the same questions to several models, several times each, and shows side by side how soon
        the first token came, how fast prompts were read and answers written, how long loading took, how much
        memory was needed, and how much all of that varied. A model of your choice can judge the answers,
        blind.
      </p>
      <FirstRun />
    </section>
  );
}

function FirstRun() {
  const client = useQueryClient();
  const { known, error } = useKnown();
  const [isAsked, setAsked] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  if (known === null) return <Waiting error={error} />;
  const { contestants, sets } = known;
  const first = firstOf(contestants);
  if (first.length === 0)
    return (
      <p>
        No model runs, and none is enabled.{" "}
        <Link className="bench-link" to="">
          Enable or start one on Models
        </Link>
        , and a first run is one press away.
      </p>
    );
  const choice = firstChoice(contestants);
  async function start(): Promise<void> {
    setAsked(true);
    try {
      await begin(client, askOf(choice, sets));
    } catch (failure) {
      setRefusal(failure instanceof Error ? failure.message : String(failure));
    }
    setAsked(false);
  }
  return (
    <>
      <h2>A first run: {first.map(({ label }) => label).join(", ")}</h2>
      <ul>
        {forecastOf(choice, known).map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <div className="bar">
        <Press className="button-main" available={!isAsked} onPress={() => void start()}>
          START A FIRST RUN
        </Press>
        <Press available onPress={() => go("benchmarks", { new: "1" })}>
          CHOOSE MYSELF
        </Press>
      </div>
      {refusal && (
        <p className="bench-refusal" role="alert">
          {refusal}
        </p>
      )}
    </>
  );
}
