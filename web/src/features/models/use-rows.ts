import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useCallback, useLayoutEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { Model } from "../../lib/api";

const ROW_PX = 53;
const CARD_PX = 262;
const CARD_GAP_PX = 10;
// So many are built beyond the screen, either way: enough for what a wheel or a flung finger does in a frame.
const BEYOND = 12;
const NARROW = "(width < 52rem)";

/**
 * The rows that are near the screen. kept: ids of rows that stay built wherever they are, as somebody is at
 * them. A row's height is guessed until it is there.
 */
export function useRows(table: RefObject<HTMLTableElement | null>, models: Model[], kept: readonly string[]) {
  const isNarrow = useMedia(NARROW);
  const top = useTop(table);
  const insets = useMemo(() => insetsNow(isNarrow), [isNarrow]);
  const keptIndexes = useMemo(
    () => (kept.length === 0 ? [] : kept.map((id) => models.findIndex(({ model_id }) => model_id === id))),
    [kept, models],
  );
  const rangeExtractor = useCallback(
    (range: Range) => withKept(defaultRangeExtractor(range), keptIndexes),
    [keptIndexes],
  );
  const keyOf = useCallback((index: number) => models[index]?.model_id ?? index, [models]);
  const guess = useCallback(() => (isNarrow ? CARD_PX : ROW_PX), [isNarrow]);
  return useWindowVirtualizer({
    count: models.length,
    estimateSize: guess,
    getItemKey: keyOf,
    gap: isNarrow ? CARD_GAP_PX : 0,
    overscan: BEYOND,
    scrollMargin: top,
    scrollPaddingStart: insets.top,
    scrollPaddingEnd: insets.bottom,
    rangeExtractor,
  });
}

/** The indexes with those that are kept, each once, in order. */
export function withKept(indexes: number[], kept: readonly number[]): number[] {
  const further = kept.filter((index) => index >= 0 && !indexes.includes(index));
  return further.length === 0 ? indexes : [...indexes, ...new Set(further)].sort((a, b) => a - b);
}

/** Where the first row begins, in px from the document's top: what is above it may grow and shrink. */
function useTop(table: RefObject<HTMLTableElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    function look(): void {
      const element = table.current;
      if (element === null) return;
      const head = element.tHead?.offsetHeight ?? 0;
      setTop(Math.round(element.getBoundingClientRect().top + scrollY + head));
    }
    look();
    const observer = new ResizeObserver(look);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [table]);
  return top;
}

/** How much of the screen bars cover, in px. */
function insetsNow(isNarrow: boolean): { top: number; bottom: number } {
  const bar = document.querySelector(".top-bar")?.getBoundingClientRect().height ?? 0;
  return isNarrow ? { top: bar + 8, bottom: bar + 16 } : { top: bar + 96, bottom: 24 };
}

function useMedia(query: string): boolean {
  const media = useMemo(() => matchMedia(query), [query]);
  return useSyncExternalStore(
    useCallback(
      (listener) => {
        media.addEventListener("change", listener);
        return () => media.removeEventListener("change", listener);
      },
      [media],
    ),
    () => media.matches,
  );
}
