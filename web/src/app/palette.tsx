import { useQueryClient } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useId, useMemo, useState } from "react";
import { Dialog } from "../components/dialog";
import type { Action } from "../lib/feature";
import { go } from "../lib/router";
import { chooseTheme } from "../lib/theme";
import { say } from "../lib/toasts";
import { FEATURES } from "./features";
import { matching } from "./matching";
import "./palette.css";

const MOST = 60;

interface PaletteProps {
  onClose: () => void;
  onKeys: () => void;
}

/** Every page and every action, found by typing. */
export default function Palette({ onClose, onKeys }: PaletteProps) {
  const actions = useActions(onKeys);
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const listId = useId();
  const shown = useMemo(() => matching(actions, wanted).slice(0, MOST), [actions, wanted]);
  const current = Math.min(at, shown.length - 1);

  function run(action: Action | undefined): void {
    if (action === undefined) return;
    onClose();
    action.run();
  }
  function onKey(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && shown.length > 0) setAt((current + step + shown.length) % shown.length);
    else if (event.key === "Enter" && !event.nativeEvent.isComposing) run(shown[current]);
    else return;
    event.preventDefault();
  }
  const optionId = (index: number) => `${listId}-${index}`;
  return (
    <Dialog open onClose={onClose} title="Do something" shape="palette">
      <input
        className="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={shown.length > 0 ? optionId(current) : undefined}
        aria-label="What to do"
        placeholder="What to do: start, stop, a model, a page…"
        autoComplete="off"
        spellCheck={false}
        value={wanted}
        onChange={(event) => {
          setWanted(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKey}
      />
      <div className="palette-list" id={listId} role="listbox" aria-label="Actions">
        {shown.map((action, index) => (
          <Option
            key={`${action.label} ${action.hint}`}
            id={optionId(index)}
            action={action}
            current={index === current}
            onPoint={() => setAt(index)}
            onPick={() => run(action)}
          />
        ))}
      </div>
      {shown.length === 0 && <p className="palette-none">Nothing does that.</p>}
    </Dialog>
  );
}

interface OptionProps {
  id: string;
  action: Action;
  current: boolean;
  onPoint: () => void;
  onPick: () => void;
}

function Option({ id, action, current, onPoint, onPick }: OptionProps) {
  useEffect(() => {
    if (current) document.getElementById(id)?.scrollIntoView?.({ block: "nearest" });
  }, [current, id]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox has the focus and the keys
    // biome-ignore lint/a11y/useFocusableInteractive: it is reached by aria-activedescendant
    <div
      id={id}
      className="palette-option"
      role="option"
      aria-selected={current}
      onPointerMove={onPoint}
      onClick={onPick}
    >
      <span>{action.label}</span>
      {action.hint && <span className="palette-hint">{action.hint}</span>}
    </div>
  );
}

/** The shell's own actions at once, the features' as soon as they are loaded. */
function useActions(onKeys: () => void): Action[] {
  const client = useQueryClient();
  const [ofFeatures, setOfFeatures] = useState<Action[]>([]);
  useEffect(() => {
    let isOver = false;
    Promise.all(FEATURES.map(async ({ actions }) => (await actions?.())?.listActions(client) ?? [])).then(
      (lists) => isOver || setOfFeatures(lists.flat()),
      (failure: Error) =>
        isOver || say(`Some actions could not be loaded: ${failure.message}`, { tone: "bad" }),
    );
    return () => {
      isOver = true;
    };
  }, [client]);
  return useMemo(() => {
    const pages = FEATURES.map(({ path, label }) => ({
      label: `Go to ${label}`,
      hint: "page",
      run: () => go(path),
    }));
    return [...pages, ...ofFeatures, ...shellActions(onKeys)];
  }, [ofFeatures, onKeys]);
}

function shellActions(onKeys: () => void): Action[] {
  return [
    { label: "Dark theme", hint: "look", run: () => chooseTheme("dark") },
    { label: "Light theme", hint: "look", run: () => chooseTheme("light") },
    { label: "Theme as the system", hint: "look", run: () => chooseTheme("system") },
    { label: "Show the keys", hint: "help", run: onKeys },
  ];
}
