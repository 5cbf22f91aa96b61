import { useEffect, useMemo, useState } from "react";
import { useStore } from "../../../lib/store";
import { AnswerView, Retry } from "../answer";
import type { Turn } from "../conversation";
import type { Target } from "../targets";
import { NamesProvider, namesFrom } from "./names";
import { QueryView } from "./query-view";
import { recall } from "./querying";
import { recordStore } from "./records";

interface Props {
  conversationId: string;
  turn: Turn;
  /** Models and modes. */
  targets: Target[];
  onRetry: ((name: string) => void) | null;
}

/** A mode's answer within a conversation: by its record, else as much as the conversation itself has kept. */
export default function QueryTurn({ conversationId, turn, targets, onRetry }: Props) {
  const id = turn.plan?.queryId ?? 0;
  const record = useStore(recordStore(id));
  const [problem, setProblem] = useState<string | null>(null);
  const [tries, setTries] = useState(0);
  const names = useMemo(() => namesFrom(targets), [targets]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it looks when it is told to, not whenever the turn changes
  useEffect(() => {
    setProblem(null);
    recall(conversationId, turn).catch((failure: Error) => setProblem(failure.message));
  }, [conversationId, id, tries]);
  const answer = turn.answers[0];
  if (!answer) return null;
  if (record)
    return (
      <NamesProvider value={names}>
        <QueryView record={record}>
          {onRetry && <Retry model={answer.model} targets={targets} onRetry={onRetry} />}
        </QueryView>
      </NamesProvider>
    );
  return (
    <>
      <AnswerView answer={answer} targets={targets} onRetry={onRetry} />
      {problem && (
        <p className="answer-quiet">
          The steps to it cannot be shown. {problem}{" "}
          <button type="button" className="button button-plain" onClick={() => setTries(tries + 1)}>
            Look again
          </button>
        </p>
      )}
    </>
  );
}
