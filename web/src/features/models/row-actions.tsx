import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import { canStart, canStop } from "../../lib/status";
import { useStart, useStop } from "./actions";
import type { Opened } from "./model-row";

interface ActionsProps {
  model: Model;
  opened: Opened;
  onOpen: (opened: Opened) => void;
  panelId: string;
}

/** START and STOP side by side, so that neither moves under the finger when the status changes. */
export function RowActions({ model, opened, onOpen, panelId }: ActionsProps) {
  const start = useStart(model);
  const stop = useStop(model);
  const name = model.display_name;
  const toggle = (what: Opened) => onOpen(opened === what ? null : what);
  return (
    <div className="row-actions">
      <div className="switch">
        <Press
          className="switch-start"
          aria-label={`START ${name}`}
          available={canStart(model) && !start.isPending}
          onPress={() => start.mutate()}
        >
          START
        </Press>
        <Press
          className="switch-stop"
          aria-label={`STOP ${name}`}
          available={canStop(model) && !stop.isPending}
          onPress={() => stop.mutate()}
        >
          STOP
        </Press>
      </div>
      <Press
        className="button-plain"
        aria-label={`Ask ${name}`}
        aria-expanded={opened === "ask"}
        aria-controls={panelId}
        available={model.status === "running" && model.kind === "chat"}
        onPress={() => toggle("ask")}
      >
        Ask
      </Press>
      <Press
        className="button-plain"
        aria-label={`Settings ${name}`}
        aria-expanded={opened === "settings"}
        aria-controls={panelId}
        available
        onPress={() => toggle("settings")}
      >
        Settings
      </Press>
    </div>
  );
}
