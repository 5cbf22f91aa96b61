import { lazy, Suspense } from "react";
import { Press } from "../../../components/press";
import { percentWords } from "../../../lib/format";
import { underWay, underWayWords, useDownloads } from "./downloads";
import { closeFetch, openFetch, useFetchOpened } from "./opened";

const FetchDialog = lazy(() => import("./fetch-dialog"));

/** Opens the dialog that fetches models, and says how far those are that are being fetched. */
export function FetchButton() {
  const opened = useFetchOpened();
  const downloads = useDownloads().data?.downloads ?? [];
  const { count, progress } = underWay(downloads);
  const words = underWayWords(downloads);
  return (
    <>
      <Press
        available
        title="Fetch a model from Hugging Face"
        aria-label={words ? `FETCH A MODEL: ${words}` : "FETCH A MODEL"}
        onPress={() => openFetch()}
      >
        {count > 0 ? `FETCHING ${percentWords(progress)}` : "FETCH A MODEL"}
      </Press>
      {opened !== null && (
        <Suspense fallback={null}>
          <FetchDialog repo={opened} onClose={closeFetch} />
        </Suspense>
      )}
    </>
  );
}
