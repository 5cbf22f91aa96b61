import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { api, type ChatAnswer, type Model } from "../../lib/api";
import { refusalOf } from "../../lib/http";
import "./ask-box.css";

/** One question to one running model. Leaving takes the question back. */
export function AskBox({ model, takesFocus = true }: { model: Model; takesFocus?: boolean }) {
  const [question, setQuestion] = useState("");
  const leaving = useRef<AbortController>(null);
  const ask = useMutation({
    mutationFn: (text: string) => {
      leaving.current?.abort();
      leaving.current = new AbortController();
      return api.ask(model.model_id, text, leaving.current.signal);
    },
  });
  useEffect(() => () => leaving.current?.abort(), []);

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (question.trim() !== "" && !ask.isPending) ask.mutate(question.trim());
  }

  return (
    <form className="ask" onSubmit={submit}>
      <input
        className="ask-question"
        aria-label={`Question for ${model.display_name}`}
        placeholder={`Ask ${model.display_name} something`}
        value={question}
        onChange={(event) => setQuestion(event.target.value)}
        // biome-ignore lint/a11y/noAutofocus: the person has just opened this box to type into it
        autoFocus={takesFocus}
      />
      {ask.isPending ? (
        <button type="button" className="button" onClick={() => leaving.current?.abort()}>
          CANCEL
        </button>
      ) : (
        <button type="submit" className="button button-main">
          ASK
        </button>
      )}
      <output className="ask-answer" aria-label={`Answer of ${model.display_name}`}>
        {ask.isPending && <span className="ask-waiting">Thinking…</span>}
        {ask.isError && <span className="ask-failure">{failureWords(ask.error)}</span>}
        {ask.isSuccess && answerWords(ask.data)}
      </output>
    </form>
  );
}

function answerWords(answer: ChatAnswer): string {
  const message = answer.choices[0]?.message;
  return message?.content?.trim() || message?.reasoning_content?.trim() || "It answered with nothing.";
}

function failureWords(failure: Error): string {
  if (failure.name === "AbortError") return "Cancelled.";
  const { error, detail } = refusalOf(failure);
  return detail ? `${error}: ${detail}` : error;
}
