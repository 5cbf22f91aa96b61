import { useQueryClient } from "@tanstack/react-query";
import { Press } from "../../../components/press";
import { useFleet } from "../../../lib/fleet";
import { mutateOnce } from "../../../lib/mutate";
import { canStart } from "../../../lib/status";
import { starting } from "../actions";
import { openDetails } from "../details";
import { isUnderWay, progressWords, titleOf, useSteps } from "./downloads";
import type { Download, DownloadList } from "./wire";

interface ListProps {
  list: DownloadList;
  onDone?: (() => void) | undefined;
}

/** What is being fetched and what has come, the newest first. */
export function Downloads({ list, onDone }: ListProps) {
  const { downloads, folder } = list;
  if (downloads.length === 0) return <p className="quiet fetch-folder">Models come to {folder}</p>;
  return (
    <section className="downloads" aria-label="Downloads">
      <h3>Downloads</h3>
      <ul>
        {[...downloads].reverse().map((download) => (
          <Line key={download.id} download={download} onDone={onDone} />
        ))}
      </ul>
      <p className="quiet fetch-folder">Models come to {folder}</p>
    </section>
  );
}

function Line({ download, onDone }: { download: Download; onDone: (() => void) | undefined }) {
  const title = titleOf(download);
  const { status, progress, error } = download;
  return (
    <li className="download" data-status={status} aria-label={title}>
      <div className="download-head">
        <strong>{title}</strong>
        <span className="download-words">{progressWords(download)}</span>
      </div>
      {status !== "done" && <progress aria-label={`Fetching ${title}`} value={progress} max={1} />}
      {error && status === "failed" && (
        <p className="refusal">
          <strong>{error.error}</strong> {error.detail}
        </p>
      )}
      <Steps download={download} title={title} onDone={onDone} />
    </li>
  );
}

interface StepsProps {
  download: Download;
  title: string;
  onDone: (() => void) | undefined;
}

function Steps({ download, title, onDone }: StepsProps) {
  const steps = useSteps(download);
  const able = !steps.isPending;
  const { status } = download;
  return (
    <div className="download-steps">
      {status === "done" && <ItsModel modelId={download.model_id} onDone={onDone} />}
      {isUnderWay(download) && (
        <Press aria-label={`PAUSE ${title}`} available={able} onPress={() => steps.mutate("pause")}>
          PAUSE
        </Press>
      )}
      {(status === "paused" || status === "failed") && (
        <Press
          className="button-main"
          aria-label={`${status === "failed" ? "TRY AGAIN" : "RESUME"} ${title}`}
          available={able}
          onPress={() => steps.mutate("resume")}
        >
          {status === "failed" ? "TRY AGAIN" : "RESUME"}
        </Press>
      )}
      <Press
        className="button-plain"
        aria-label={status === "done" ? `Take ${title} off the list` : `Cancel ${title}`}
        available={able}
        onPress={() => steps.mutate("remove")}
      >
        {status === "done" ? "Off the list" : "Cancel"}
      </Press>
    </div>
  );
}

/** What has come of a download, with the next thing to do. */
function ItsModel({ modelId, onDone }: { modelId: string | null; onDone: (() => void) | undefined }) {
  const client = useQueryClient();
  const model = useFleet().data?.registry.models.find(({ model_id }) => model_id === modelId);
  if (!model) return null;
  return (
    <>
      <Press
        className="button-main"
        aria-label={`START ${model.display_name}`}
        available={canStart(model)}
        onPress={() => mutateOnce(client, starting(client, model), {})}
      >
        {canStart(model) ? "START" : model.status.toUpperCase()}
      </Press>
      <Press
        aria-label={`Details of ${model.display_name}`}
        available
        onPress={() => {
          onDone?.();
          openDetails(model.model_id);
        }}
      >
        DETAILS
      </Press>
    </>
  );
}
