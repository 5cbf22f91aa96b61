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

/** The keyboard's way through the rows, and what it does to them. Answers what hears the table's own keys. */
export function useWalking({ table, models, rows, onSwitch }: WalkProps) {
  const { here, goTo } = usePlace({ table, models, rows });
  const step = (by: number) => goTo(here() < 0 ? firstInSight(rows) : here() + by);
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
    const index = here();
    const act = index < 0 ? undefined : actOf(event, index, models, goTo);
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
}

/** What a key does where it is heard in a row; nothing that belongs to the field that has the focus. */
function actOf(event: KeyboardEvent, index: number, models: Model[], goTo: (index: number) => void) {
  const target = event.target as HTMLElement;
  if (event.altKey || event.ctrlKey || event.metaKey) return undefined;
  if (target.matches("select, input:not([type=checkbox])")) return undefined;
  const model = models[index];
  const isOnName = target.matches(".name");
  const acts: Record<string, (() => void) | false | undefined> = {
    ArrowDown: () => goTo(index + 1),
    ArrowUp: () => goTo(index - 1),
    Home: () => goTo(0),
    End: () => goTo(models.length - 1),
    " ": isOnName && model && (() => select(model.model_id, event.shiftKey)),
  };
  return acts[event.key] || undefined;
}

/** Which row has the focus, and how to give it to another, which may be far away and not built yet. */
function usePlace({ table, models, rows }: Omit<WalkProps, "onSwitch">) {
  const wanted = useRef<string | null>(null);
  const focusWanted = useCallback(() => {
    if (wanted.current === null) return;
    const row = `[data-model="${CSS.escape(wanted.current)}"]`;
    const name = table.current?.querySelector<HTMLElement>(`${row} .name`);
    if (!name) return;
    wanted.current = null;
    name.focus({ preventScroll: true });
  }, [table]);
  useEffect(focusWanted);

  function here(): number {
    const id = document.activeElement?.closest<HTMLElement>("[data-model]")?.dataset.model;
    return id === undefined ? -1 : models.findIndex(({ model_id }) => model_id === id);
  }
  function goTo(index: number): void {
    const within = Math.max(0, Math.min(index, models.length - 1));
    const model = models[within];
    if (model === undefined) return;
    wanted.current = model.model_id;
    rows.scrollToIndex(within, { align: "auto" });
    focusWanted();
  }
  return { here, goTo };
}

function firstInSight(rows: Rows): number {
  const from = (rows.scrollOffset ?? 0) + rows.options.scrollPaddingStart;
  return rows.getVirtualItems().find(({ start }) => start >= from)?.index ?? 0;
}
