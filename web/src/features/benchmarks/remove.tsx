import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Dialog } from "../../components/dialog";
import { Press } from "../../components/press";
import { countWords } from "../../lib/format";
import { remove } from "./actions";
import type { Brief } from "./wire";
import { titleOf } from "./words";

interface Props {
  run: Brief;
  onRemoved?: () => void;
}

/** Deletes a run, after a question: there is no way back. */
export function Remove({ run, onRemoved }: Props) {
  const client = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [isAsked, setAsked] = useState(false);
  async function go(): Promise<void> {
    setAsked(true);
    const isGone = await remove(client, run);
    setAsked(false);
    setOpen(false);
    if (isGone) onRemoved?.();
  }
  return (
    <>
      <button
        type="button"
        className="button button-plain"
        aria-label={`Delete ${titleOf(run)}`}
        onClick={() => setOpen(true)}
      >
        Delete
      </button>
      <Dialog open={isOpen} onClose={() => setOpen(false)} title={`Delete ${titleOf(run)}?`}>
        <p>
          {countWords(run.done_requests, "measured request")} and all answers are thrown away for good. Export
          them first, if they may still be wanted.
        </p>
        <div className="bar">
          <Press className="button-main" available={!isAsked} onPress={() => void go()}>
            DELETE
          </Press>
          <Press available onPress={() => setOpen(false)}>
            KEEP
          </Press>
        </div>
      </Dialog>
    </>
  );
}
