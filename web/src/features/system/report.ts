import { api } from "../../lib/api";
import { say } from "../../lib/toasts";
import { reportOf } from "./facts";

/** Puts all that this page says into the clipboard. */
export async function copyReport(): Promise<void> {
  try {
    const [system, { engines }] = await Promise.all([api.system(), api.engines()]);
    await navigator.clipboard.writeText(reportOf(system, engines));
    say("Copied what is known of this system.");
  } catch (failure) {
    say(`Not copied. ${failure instanceof Error ? failure.message : String(failure)}`, { tone: "bad" });
  }
}
