import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Model } from "../../lib/api";

interface Steady {
  rows: Model[];
  /** To be told whether somebody points at the rows, or is at them with the keyboard. */
  hold: (how: "pointer" | "keys", isSo: boolean) => void;
}

/**
 * The wanted rows; while somebody is at them they stay where they are, whatever happens to the models.
 * question: what was asked for; another question is answered at once.
 */
export function useSteady(wanted: Model[], models: Model[], question: string): Steady {
  const [held, setHeld] = useState({ pointer: false, keys: false });
  const before = useRef<{ question: string; ids: readonly string[] }>({ question: "", ids: [] });
  const isKept = (held.pointer || held.keys) && before.current.question === question;
  const rows = useMemo(
    () => (isKept ? steadied(before.current.ids, wanted, models) : wanted),
    [isKept, wanted, models],
  );
  useEffect(() => {
    before.current = { question, ids: rows.map(({ model_id }) => model_id) };
  });
  const hold = useCallback<Steady["hold"]>((how, isSo) => setHeld((now) => ({ ...now, [how]: isSo })), []);
  return { rows, hold };
}

/**
 * The rows in the order that they had, so that none moves away under a finger; those that went stay, unless
 * the model itself is gone, and newcomers come last.
 */
export function steadied(before: readonly string[], wanted: Model[], models: Model[]): Model[] {
  const known = new Map(models.map((model) => [model.model_id, model]));
  const old = new Set(before);
  const kept = before.flatMap((modelId) => known.get(modelId) ?? []);
  return [...kept, ...wanted.filter(({ model_id }) => !old.has(model_id))];
}
