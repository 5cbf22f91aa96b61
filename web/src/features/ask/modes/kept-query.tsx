import { useEffect, useMemo, useState } from "react";
import { go, restate } from "../../../lib/router";
import { useStore } from "../../../lib/store";
import { say } from "../../../lib/toasts";
import { change, draft } from "../shelf";
import type { Target } from "../targets";
import { stop } from "../under-way";
import { conversationOf } from "./going-on";
import { NamesProvider, namesFrom } from "./names";
import { QueryView } from "./query-view";
import { open, stopName } from "./querying";
import { changes, recordStore } from "./records";
import { wire } from "./wire";

/** A query of the control plane's history that is in no conversation of this browser. */
export default function KeptQuery({ id, targets }: { id: number; targets: Target[] }) {
  const record = useStore(recordStore(id));
  const [problem, setProblem] = useState<string | null>(null);
  const names = useMemo(() => namesFrom(targets), [targets]);
  useEffect(() => {
    setProblem(null);
    open(id).catch((failure: Error) => setProblem(failure.message));
  }, [id]);
  if (!record) return <p className="looking">{problem ?? "Looking for the record…"}</p>;

  function goOn(): void {
    if (!record) return;
    const conversation = conversationOf(record);
    const { id: draftId } = draft.get();
    change(draftId, () => ({ ...conversation, id: draftId }));
    restate("ask", { c: draftId });
  }

  return (
    <NamesProvider value={names}>
      <article className="turn" aria-label="Question and answers">
        <div className="question">
          <p>{record.query}</p>
        </div>
        <QueryView record={record}>
          <button type="button" className="button" onClick={goOn}>
            Go on from here
          </button>
          <button type="button" className="button button-plain" onClick={() => void discard(id)}>
            Delete
          </button>
        </QueryView>
        {record.status === "running" && (
          <p>
            <button type="button" className="button" onClick={() => stop(stopName(id))}>
              STOP
            </button>
          </p>
        )}
      </article>
    </NamesProvider>
  );
}

async function discard(id: number): Promise<void> {
  try {
    await wire.remove(id);
  } catch (failure) {
    say(String((failure as Error).message), { tone: "bad" });
    return;
  }
  changes.set((count) => count + 1);
  say("Deleted the query", {});
  go("ask");
}
