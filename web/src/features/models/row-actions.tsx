import { type PointerEvent, useEffect } from "react";
import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import { canStart, canStop } from "../../lib/status";
import { useStart, useStop } from "./actions";
import { openDetails } from "./details";
import { weigh } from "./weighed";

/** START and STOP side by side, so that neither moves under the finger when the status changes. */
export function RowActions({ model }: { model: Model }) {
  const start = useStart(model);
  const stop = useStop(model);
  const name = model.display_name;
  useForgetting(model);
  return (
    <div className="row-actions">
      <div className="switch">
        <Press
          className="switch-start"
          aria-label={`START ${name}`}
          available={canStart(model) && !start.isPending}
          onPress={() => start.mutate({})}
          {...weighing(model)}
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
        aria-haspopup="dialog"
        available={model.status === "running" && model.kind === "chat"}
        onPress={() => openDetails(model.model_id, "use")}
      >
        Ask
      </Press>
      <Press
        className="button-plain"
        aria-label={`Details ${name}`}
        aria-haspopup="dialog"
        available
        onPress={() => openDetails(model.model_id)}
      >
        Details
      </Press>
    </div>
  );
}

/** While START is pointed at or has the focus, the memory bar shows what it would come to. */
function weighing({ model_id }: Model) {
  return {
    onPointerEnter: ({ pointerType }: PointerEvent) => weigh("pointer", model_id, pointerType !== "touch"),
    onPointerLeave: () => weigh("pointer", model_id, false),
    onFocus: () => weigh("focus", model_id, true),
    onBlur: () => weigh("focus", model_id, false),
  };
}

/** A row that goes away under the pointer is told nothing of that. */
function useForgetting({ model_id }: Model): void {
  useEffect(
    () => () => {
      weigh("pointer", model_id, false);
      weigh("focus", model_id, false);
    },
    [model_id],
  );
}
