import { Light } from "../../components/light";
import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import type { Together } from "../../lib/replicas";
import { lightOf, statusNote } from "../../lib/status";
import { useRelease } from "./actions";

/** The status as a lamp and in words, and below it for how long or how far. */
export function StatusWords({ model, server }: { model: Model; server: Together | undefined }) {
  const { status } = model;
  const note = model.restart_required ? "restart to apply" : statusNote(status, server);
  const progress = status === "starting" && server?.status === "starting" ? server.progress : null;
  const isHeld = model.held && (status === "stopped" || status === "failed");
  return (
    <div className="status">
      <Light colour={lightOf(status)} progress={progress} />
      <span className="status-word">{status}</span>
      {isHeld ? <Held model={model} /> : <span className="status-note">{note}</span>}
      {progress !== null && <Progress model={model} share={progress} words={note} />}
    </div>
  );
}

function Held({ model }: { model: Model }) {
  const release = useRelease(model);
  return (
    <span
      className="status-note held"
      title="A person stopped it: requests do not start it until a START or a release."
    >
      held
      <Press
        className="button-plain held-release"
        aria-label={`Release ${model.display_name}`}
        available={!release.isPending}
        onPress={() => release.mutate()}
      >
        Release
      </Press>
    </span>
  );
}

function Progress({ model, share, words }: { model: Model; share: number; words: string }) {
  return (
    <div
      className="progress"
      role="progressbar"
      aria-label={`Loading ${model.display_name}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(100 * share)}
      aria-valuetext={words}
    >
      <div className="progress-done" style={{ inlineSize: `${100 * share}%` }} />
    </div>
  );
}
