import type { EngineOption, Model } from "../../lib/api";
import type { components } from "../../lib/api.gen";

/** A further name of a model, with its own manner. */
export type Variant = components["schemas"]["Variant"];

/** What a person has typed and not saved: by a setting's name its text; empty is the default. */
export type Drafts = Readonly<Record<string, string>>;

/** How the value of a setting is written in a field, without JSON. Nothing is the default. */
export function settingText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map((one) => quoted(settingText(one))).join(" ");
  if (typeof value === "object") {
    return Object.entries(value)
      .map(([key, one]) => quoted(`${key}=${settingText(one)}`))
      .join(" ");
  }
  return String(value);
}

/** The same in the words of the option, which may be other than those that were saved: `true` is `on`. */
export function shownText(option: EngineOption, value: unknown): string {
  if (typeof value === "boolean" && option.kind === "choice") return value ? "on" : "off";
  return settingText(value);
}

/** What was typed, as the kind of value that the setting has; null is the default. */
export function settingValue(option: EngineOption, text: string): unknown {
  const { name, kind } = option;
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (name === "extra_args") return words(trimmed);
  if (name === "env") return Object.fromEntries(words(trimmed).map(assignment));
  if (name === "devices" && trimmed !== "auto" && trimmed !== "cpu")
    return trimmed.split(/[\s,]+/).filter(Boolean);
  if (kind === "switch") return trimmed === "true";
  if (kind === "choice") return trimmed;
  return isNumber(trimmed) ? Number(trimmed) : trimmed;
}

/** What is wrong with a text, as far as can be told without asking; the rest the control plane refuses. */
export function typingProblem({ kind }: EngineOption, text: string): string | null {
  return kind === "number" && text.trim() !== "" && !isNumber(text.trim()) ? "It takes a number." : null;
}

/** The drafts after a person has typed; what is as it was saved is no draft. */
export function draftsAfter(drafts: Drafts, name: string, text: string, saved: string): Drafts {
  const { [name]: _before, ...others } = drafts;
  return text.trim() === saved ? others : { ...others, [name]: text };
}

/** Which of the names a refusal is about, where it names one. */
export function refusedName(error: string, detail: string, names: Iterable<string>): string | null {
  const said = `${error} ${detail}`;
  const found = /(?:setting: |value for |name in |body\.settings\.)([\w-]+)/.exec(said)?.[1];
  if (found === undefined) return said.startsWith("Unknown engine") ? "engine" : null;
  const name = found.replaceAll("-", "_");
  return [...names].includes(name) ? name : null;
}

/** Whether a change to one of them reaches a running server only by a restart. */
export function needsRestart(names: string[]): boolean {
  return names.some((name) => !APPLIED_AT_ONCE.has(name));
}

const APPLIED_AT_ONCE = new Set("idle_stop_seconds pinned replicas restart autostart variants".split(" "));

/** The model's variants as they are saved, with what was left out. */
export function variantsOf({ settings }: Model): Variant[] {
  const variants: Partial<Variant>[] = Array.isArray(settings.variants) ? settings.variants : [];
  return variants.map((variant) => ({ name: "", sampling: {}, chat_template_kwargs: {}, ...variant }));
}

function isNumber(text: string): boolean {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
}

/** Split at spaces, but not within quotes. */
function words(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_whole, double, single) => double ?? single),
  );
}

function quoted(word: string): string {
  if (!/[\s"']/.test(word)) return word;
  return word.includes('"') ? `'${word.replaceAll("'", `'"'"'`)}'` : `"${word}"`;
}

function assignment(word: string): [string, string] {
  const at = word.indexOf("=");
  return at === -1 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
}
