import type { QueryClient } from "@tanstack/react-query";
import { ApiError } from "../../lib/http";
import { go } from "../../lib/router";
import { say } from "../../lib/toasts";
import { forget, isActive, take } from "./runs";
import { type BenchmarkAsk, type Brief, type Format, wire } from "./wire";
import { titleOf } from "./words";

const ENDINGS: Record<Format, string> = { csv: "csv", json: "json", markdown: "md" };

/** Begins a run and goes to it. Throws what the control plane answered instead. */
export async function begin(client: QueryClient, ask: BenchmarkAsk): Promise<void> {
  const brief = await wire.begin(ask);
  take(client, brief);
  go("benchmarks", { run: String(brief.id) });
}

/** Ends a run; that the fleet is put back first, its progress tells. */
export async function cancel(client: QueryClient, run: Brief): Promise<void> {
  try {
    const brief = await wire.cancel(run.id);
    take(client, brief);
    say(
      isActive(brief)
        ? `${titleOf(run)} ends. What it has measured is kept; the fleet is put back.`
        : `${titleOf(run)} has ended.`,
    );
  } catch (failure) {
    say(`Not cancelled. ${wordsOf(failure)}`, { tone: "bad" });
  }
}

/** Throws a run away for good; whether it is gone. */
export async function remove(client: QueryClient, run: Brief): Promise<boolean> {
  try {
    await wire.remove(run.id);
  } catch (failure) {
    const isGone = failure instanceof ApiError && failure.status === 404;
    if (!isGone) say(`Not deleted. ${wordsOf(failure)}`, { tone: "bad" });
    if (!isGone) return false;
  }
  forget(client, run.id);
  say(`${titleOf(run)} was deleted.`);
  return true;
}

export async function copyMarkdown(run: Brief): Promise<void> {
  try {
    await navigator.clipboard.writeText(await wire.exported(run.id, "markdown"));
    say(`Copied ${titleOf(run)} as Markdown.`);
  } catch (failure) {
    say(`Not copied. ${wordsOf(failure)}`, { tone: "bad" });
  }
}

/** What a link does by itself, with the key that a link cannot send. */
export async function download(run: Brief, format: Format): Promise<void> {
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([await wire.exported(run.id, format)]));
    link.download = `benchmark-${run.id}.${ENDINGS[format]}`;
    link.click();
    // The browser has taken it by the next turn of its loop.
    setTimeout(() => URL.revokeObjectURL(link.href));
  } catch (failure) {
    say(`Not downloaded. ${wordsOf(failure)}`, { tone: "bad" });
  }
}

function wordsOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
