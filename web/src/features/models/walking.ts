import type { Virtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useRef } from "react";
import type { Model } from "../../lib/api";
import { useKeys } from "../../lib/keys";
import { say } from "../../lib/toasts";
import { select, selectNothing, selectShown } from "./selection";

type Rows = Virtualizer<Window, Element>;

interface WalkProps {
  table: RefObject<HTMLTableElement | null>;
  models: Model[];
  rows: Rows;
  onSwitch: (model: Model) => void;
}

/** The keyboard's way through the rows: which one has the focus, and what is done to it. Answers the table's own keys. */
export function useWalking({ table, models, rows, onSwitch }: WalkProps) {
  const wanted = useRef<string | null>(null);
  const here = () => {
    const id = document.activeElement?.closest<HTMLElement>("[data-model]")?.dataset.model;
    return id === undefined ? -1 : models.findIndex(({ model_id }) => model_id === id);
  };
  const focusWanted = useCallback(() => {
    if (wanted.current === null) return;
    const name = table.current?.querySelector<HTMLElement>(
      `[data-model="${CSS.escape(wanted.current)}"] .name`,
    );
    if (!name) return;
    wanted.current = null;
    name.focus({ preventScroll: true });
  }, [table]);
  // A row that is far away is there only after the table has been scrolled to it.
  useEffect(focusWanted);

  function goTo(index: number): void {
    const model = models[Math.max(0, Math.min(index, models.length - 1))];
    if (model === undefined) return;
    wanted.current = model.model_id;
    rows.scrollToIndex(models.indexOf(model), { align: "auto" });
    focusWanted();
  }
  const step = (by: number) => {
    const at = here();
    goTo(at < 0 ? firstInSight(rows) : at + by);
  };
  const switchHere = () => {
    const model = models[here()];
    if (model) onSwitch(model);
    else say("Go to a row first, with j or k.", { name: "keys" });
  };
  useKeys([
    { keys: "j", words: "Next model (or ↓)", run: () => step(1) },
    { keys: "k", words: "The model before (or ↑)", run: () => step(-1) },
    { keys: "s", words: "START or STOP it", run: switchHere },
    { keys: "Enter", words: "Open its details" },
    { keys: "Space", words: "Select it; with Shift, all from the last one" },
    { keys: "A", words: "Select all that are shown", run: selectShown },
    { keys: "Escape", words: "Select nothing", run: selectNothing },
  ]);

  return (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if (
      event.altKey ||
      event.ctrlKey ||
      event.metaKey ||
      target.matches("select, input:not([type=checkbox])")
    )
      return;
    const index = here();
    const keys: Record<string, () => void> = {
      ArrowDown: () => goTo(index + 1),
      ArrowUp: () => goTo(index - 1),
      Home: () => goTo(0),
      End: () => goTo(models.length - 1),
    };
    const model = models[index];
    if (target.matches(".name") && model) keys[" "] = () => select(model.model_id, event.shiftKey);
    const act = keys[event.key];
    if (act === undefined || index < 0) return;
    event.preventDefault();
    act();
  };
}

function firstInSight(rows: Rows): number {
  const from = rows.scrollOffset ?? 0;
  return (
    rows.getVirtualItems().find(({ start }) => start >= from + rows.options.scrollPaddingStart)?.index ?? 0
  );
}
