import { ApiError } from "../../lib/http";
import { say } from "../../lib/toasts";
import { wire } from "./wire";

/** Ends a request in flight and says what came of it. */
export async function cancel(id: number, asked: string): Promise<void> {
  try {
    await wire.cancel(id);
    say(`The request for ${asked} was cancelled.`);
  } catch (failure) {
    const isOver = failure instanceof ApiError && failure.status === 404;
    if (isOver) say(`The request for ${asked} had already ended.`);
    else say(failure instanceof Error ? failure.message : String(failure), { tone: "bad" });
  }
}
