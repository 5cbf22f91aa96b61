import { request } from "../../lib/http";
import { say } from "../../lib/toasts";
import { type Source, type Wanted, wholePath } from "./sources";

/** Hands over the wanted lines, as many as are kept, as a file. */
export async function download(source: Source, wanted: Wanted): Promise<void> {
  try {
    const { lines } = await request<{ lines: string[] }>(wholePath(source, wanted));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/plain" }));
    link.download = fileName(source);
    link.click();
    // The browser has taken it by the next turn of its loop.
    setTimeout(() => URL.revokeObjectURL(link.href));
  } catch (failure) {
    say(`The log could not be fetched. ${failure instanceof Error ? failure.message : ""}`, { tone: "bad" });
  }
}

export function fileName({ modelId, replica }: Source): string {
  if (modelId === null) return "synapse.log";
  const safe = modelId.replace(/[^\w.-]+/g, "_");
  return replica > 1 ? `${safe}-${replica}.log` : `${safe}.log`;
}
