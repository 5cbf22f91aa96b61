import { plainOf } from "../../components/log/ansi";
import type { Line } from "../../components/log/tail";
import { request } from "../../lib/http";
import { say } from "../../lib/toasts";
import { type Source, type Wanted, wholePath } from "./sources";

/** Hands over the wanted lines as a file: as many as are kept, or where several logs are read as one, what is shown. */
export async function download(source: Source, wanted: Wanted, shown: Line[]): Promise<void> {
  try {
    if (source.isEvery)
      save(
        shown.map(({ who, text }) => `${who} ${plainOf(text)}`),
        fileName(source),
      );
    else save((await request<{ lines: string[] }>(wholePath(source, wanted))).lines, fileName(source));
  } catch (failure) {
    say(`The log could not be fetched. ${failure instanceof Error ? failure.message : ""}`, { tone: "bad" });
  }
}

function save(lines: string[], name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/plain" }));
  link.download = name;
  link.click();
  // The browser has taken it by the next turn of its loop.
  setTimeout(() => URL.revokeObjectURL(link.href));
}

export function fileName({ isEvery, modelId, replica }: Source): string {
  if (isEvery) return "synapse-all.log";
  if (modelId === null) return "synapse.log";
  const safe = modelId.replace(/[^\w.-]+/g, "_");
  return replica > 1 ? `${safe}-${replica}.log` : `${safe}.log`;
}
