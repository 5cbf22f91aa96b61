import { lazy, Suspense } from "react";
import type { QueryRecord } from "../../../lib/api";
import { useNames } from "./names";
import { failedFinals, finalOf, notesOf } from "./reading";
import { Notes, Speech } from "./speech";

const Markdown = lazy(() => import("../../../components/markdown"));

/** The whole answer, as it is written; or the text that had to do, after all who were to write it have failed. */
export function FinalAnswer({ record }: { record: QueryRecord }) {
  const { labelOf } = useNames();
  const final = finalOf(record);
  const failed = failedFinals(record);
  if (final?.spoken?.is_answer)
    return <Speech record={record} turns={[...failed, final.spoken]} tone="final" />;
  return (
    <>
      {failed.length > 0 && <Speech record={record} turns={failed} />}
      {final && (
        <section className="speech" data-tone="final" aria-label="Answer">
          <header className="speech-head">
            <h2>
              <span>Answer</span>
              {final.spoken && <span className="speech-model">{labelOf(final.spoken.model)}</span>}
            </h2>
          </header>
          {final.spoken && <Notes notes={notesOf(record, [final.spoken])} />}
          <Suspense fallback={<p className="answer-plain">{final.text}</p>}>
            <Markdown text={final.text} />
          </Suspense>
        </section>
      )}
    </>
  );
}
