import { useFleet } from "../lib/fleet";
import { Unreachable } from "../lib/http";
import { isLive } from "../lib/live";
import { useStore } from "../lib/store";

type State = "live" | "looking" | "away";

const WORDS: Record<State, [short: string, long: string]> = {
  live: ["Live", "Every change is shown as it happens."],
  looking: ["Looking", "Changes are not told just now: the page looks for them every few seconds."],
  away: ["Away", "The control plane does not answer. What is shown may be out of date."],
};

/** Whether what is shown is what is. */
export function Connection() {
  const live = useStore(isLive);
  const { error } = useFleet();
  const state: State = error instanceof Unreachable ? "away" : live ? "live" : "looking";
  const [short, long] = WORDS[state];
  return (
    <span className="connection" data-state={state} title={long}>
      <span className="connection-lamp" aria-hidden="true" />
      <span className="connection-word">{short}</span>
    </span>
  );
}
