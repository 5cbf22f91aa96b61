import type { Action } from "../../lib/feature";
import { go } from "../../lib/router";
import { say } from "../../lib/toasts";
import { cancel } from "./cancel";
import { OUTCOMES } from "./outcomes";
import { wire } from "./wire";

/** To the requests that ended in each way, and an end to all that are in flight. */
export function listActions(): Action[] {
  const views = Object.entries(OUTCOMES).map(([outcome, words]) => ({
    label: `Show requests: ${words}`,
    hint: "activity",
    run: () => go("activity", { outcome }),
  }));
  return [
    ...views,
    { label: "Cancel every request", hint: "activity in flight", run: () => void cancelAll() },
  ];
}

async function cancelAll(): Promise<void> {
  try {
    const { calls } = await wire.live();
    if (calls.length === 0) say("No request is in flight.");
    await Promise.all(calls.map(({ id, asked }) => cancel(id, asked)));
  } catch (failure) {
    say(failure instanceof Error ? failure.message : String(failure), { tone: "bad" });
  }
}
