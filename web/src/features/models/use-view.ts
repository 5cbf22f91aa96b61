import { useEffect, useMemo, useRef, useState } from "react";
import { amend, useRoute } from "../../lib/router";
import { type View, viewOf, wordsOf } from "./view";

// A browser allows so many changes of the address in a while only.
const TYPING_MS = 250;

/** The view that the address tells, and how to change it. What is typed shows at once and is in the address soon after. */
export function useView(): [View, (change: Partial<View>) => void] {
  const { query } = useRoute();
  const told = query.toString();
  const [view, setView] = useState(() => viewOf(query));
  const written = useRef(told);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  useEffect(() => {
    if (told === written.current) return;
    written.current = told;
    setView(viewOf(new URLSearchParams(told)));
  }, [told]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const change = useMemo(() => {
    let latest: View | null = null;
    function write(): void {
      if (latest === null) return;
      amend(wordsOf(latest));
      written.current = new URLSearchParams(location.hash.split("?")[1]).toString();
    }
    return (part: Partial<View>) =>
      setView((now) => {
        latest = { ...now, ...part };
        clearTimeout(timer.current);
        timer.current = setTimeout(write, part.search === undefined ? 0 : TYPING_MS);
        return latest;
      });
  }, []);
  return [view, change];
}
