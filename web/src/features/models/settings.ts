/** How the values of settings are written in a text field, without JSON. */

/** What a person typed, as the kind of value that the setting has. */
export function settingValue(name: string, text: string): unknown {
  const trimmed = text.trim();
  if (name === "extra_args") return words(trimmed);
  if (name === "env") return Object.fromEntries(words(trimmed).map(assignment));
  if (name === "devices" && trimmed !== "auto" && trimmed !== "cpu")
    return trimmed.split(/[\s,]+/).filter(Boolean);
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
}

export function settingText(value: unknown): string {
  if (Array.isArray(value)) return value.map(settingText).join(" ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([key, one]) => `${key}=${settingText(one)}`)
      .join(" ");
  }
  return String(value);
}

/** Whether a text field can hold it; variants are too deep for one. */
export function isEditable(name: string): boolean {
  return name !== "variants";
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

function assignment(word: string): [string, string] {
  const at = word.indexOf("=");
  return at === -1 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
}
