import type { Setting } from "./wire";

/** How a setting is edited. */
export type Editor = { kind: "switch" | "number" | "text" } | { kind: "choice"; choices: readonly string[] };

interface Form {
  type?: string;
  enum?: readonly string[];
  anyOf?: readonly Form[];
}

const UNITS: readonly [ending: string, unit: string][] = [
  ["_seconds", "s"],
  ["_mb", "MB"],
];

const GIVEN: Partial<Record<Setting["source"], string>> = {
  flag: "a flag of synapse serve",
  environment: "the environment",
  ".env": "the file .env",
};

/** By what the setting takes, which is told as JSON Schema. */
export function editorOf(setting: Setting): Editor {
  const form = setting.form as Form;
  const plain = form.anyOf?.find(({ type }) => type !== "null") ?? form;
  if (plain.enum) return { kind: "choice", choices: plain.enum };
  if (plain.type === "boolean") return { kind: "switch" };
  return { kind: plain.type === "integer" || plain.type === "number" ? "number" : "text" };
}

/** `idle_stop_seconds` is `Idle stop`, in `s`. */
export function labelOf({ field }: Pick<Setting, "field">): { words: string; unit: string } {
  const [ending, unit] = UNITS.find(([suffix]) => field.endsWith(suffix)) ?? ["", ""];
  const words = field.slice(0, field.length - ending.length).replaceAll("_", " ");
  return { words: words.charAt(0).toUpperCase() + words.slice(1), unit };
}

export function valueWords(value: Setting["value"]): string {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (Array.isArray(value)) return value.join(", ") || "none";
  if (typeof value === "object")
    return (
      Object.entries(value)
        .map(([name, of]) => `${name}=${of}`)
        .join(", ") || "none"
    );
  return String(value);
}

/** What was typed as the value of an edit; null, the default, where nothing is left of it. */
export function typedValue(setting: Setting, text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const number = Number(trimmed.replace(",", "."));
  return editorOf(setting).kind === "number" && Number.isFinite(number) ? number : trimmed;
}

/** What goes before an edit, in words; null where nothing does. */
export function givenBy({ source, name }: Setting): string | null {
  const words = GIVEN[source];
  return words === undefined ? null : `${name} is given by ${words}, which goes before what is saved here.`;
}
