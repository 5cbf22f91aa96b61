import { Light } from "../../../components/light";
import { Press } from "../../../components/press";
import type { Model } from "../../../lib/api";
import type { Together } from "../../../lib/replicas";
import { canStart, canStop, isLaunchable, lightOf, statusNote } from "../../../lib/status";
import { useStore } from "../../../lib/store";
import { useRelease, useStart, useStop } from "../actions";
import { Failure } from "../failure";
import { openFetch } from "../fetch/opened";
import { failureOf, notes } from "../notes";
import { useRestart } from "./restart";

interface HeadProps {
  model: Model;
  server: Together | undefined;
}

/** What its server does, and what can be done about it; above every tab. */
export function Head({ model, server }: HeadProps) {
  const answer = useStore(notes, (all) => all.answers[model.model_id]);
  const dismissedAt = useStore(notes, (all) => all.dismissed[model.model_id]);
  const failure = failureOf(model, answer, dismissedAt);
  return (
    <div className="drawer-head">
      <div className="drawer-state">
        <StatusLine model={model} server={server} />
        <Actions model={model} />
      </div>
      {model.held && <Held model={model} />}
      {model.restart_required && <Restart model={model} />}
      {server?.degraded && model.status === "running" && <p className="drawer-warning">{server.degraded}</p>}
      {!isLaunchable(model) && <CannotStart model={model} />}
      {failure && <Failure model={model} failure={failure} />}
    </div>
  );
}

function StatusLine({ model, server }: HeadProps) {
  const progress = model.status === "starting" ? (server?.progress ?? null) : null;
  const note = statusNote(model.status, server);
  return (
    <div className="drawer-status">
      <Light colour={lightOf(model.status)} progress={progress} />
      <span role="status">
        <strong>{model.status}</strong>
      </span>
      <span className="drawer-note">
        {note}
        {model.status === "running" && model.port !== null && `${note ? ", " : ""}port ${model.port}`}
      </span>
      {progress !== null && (
        <progress aria-label={`Loading ${model.display_name}`} value={progress} max={1} />
      )}
    </div>
  );
}

function Actions({ model }: { model: Model }) {
  const start = useStart(model);
  const stop = useStop(model);
  const isUp = canStop(model);
  return (
    <div className="drawer-actions">
      <Press
        className={isUp ? "" : "button-main"}
        aria-label={`START ${model.display_name}`}
        available={canStart(model) && !start.isPending}
        onPress={() => start.mutate({})}
      >
        START
      </Press>
      <Press
        aria-label={`STOP ${model.display_name}`}
        available={isUp && !stop.isPending}
        onPress={() => stop.mutate()}
      >
        STOP
      </Press>
    </div>
  );
}

function Held({ model }: { model: Model }) {
  const release = useRelease(model);
  return (
    <div className="drawer-notice">
      <p>Held: you stopped it, so requests do not start it until you START or release it.</p>
      <Press available={!release.isPending} onPress={() => release.mutate()}>
        RELEASE
      </Press>
    </div>
  );
}

/** It runs with choices that have changed since. */
function Restart({ model }: { model: Model }) {
  const restart = useRestart(model);
  return (
    <div className="drawer-notice">
      <p>It still runs with the settings from before.</p>
      <Press className="button-main" available={!restart.isPending} onPress={() => restart.mutate()}>
        {restart.isPending ? "RESTARTING…" : "RESTART NOW"}
      </Press>
    </div>
  );
}

/** Why no server can come of it, and the way out. */
function CannotStart({ model }: { model: Model }) {
  const { repo } = model;
  return (
    <div className="drawer-notice" data-tone="bad">
      <p>
        {model.missing
          ? "Its file is gone. Bring it back and it is found by itself; what you chose for it is kept."
          : `It cannot be started: ${model.problem}.`}{" "}
        <code>{model.file_path}</code>
      </p>
      {repo && (
        <Press available onPress={() => openFetch(repo)}>
          FETCH IT AGAIN
        </Press>
      )}
    </div>
  );
}
