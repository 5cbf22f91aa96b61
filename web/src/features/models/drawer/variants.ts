import type { Variant } from "../settings";

/** The fields of a request that have one of their own, and what people put there. */
export const SAMPLING = [
  { name: "temperature", hint: "0.8" },
  { name: "top_p", hint: "0.95" },
  { name: "top_k", hint: "40" },
  { name: "min_p", hint: "0.05" },
  { name: "repeat_penalty", hint: "1.0" },
  { name: "max_tokens", hint: "no limit" },
] as const;

/** A variant while it is written: everything is text. */
export interface VariantDraft {
  name: string;
  systemPrompt: string;
  sampling: Record<string, string>;
  more: string;
  template: string;
}

const HAS_FIELD = new Set<string>(SAMPLING.map(({ name }) => name));

export function variantDraft(variant: Variant): VariantDraft {
  const { name, system_prompt, sampling, chat_template_kwargs } = variant;
  const own = Object.entries(sampling).filter(
    ([key, value]) => HAS_FIELD.has(key) && typeof value === "number",
  );
  const fields = new Map(own);
  const others = Object.entries(sampling).filter(([key]) => !fields.has(key));
  return {
    name,
    systemPrompt: system_prompt ?? "",
    sampling: Object.fromEntries(own.map(([key, value]) => [key, String(value)])),
    more: jsonText(Object.fromEntries(others)),
    template: jsonText(chat_template_kwargs),
  };
}

/** What was written as a variant, or what is wrong with it. */
export function variantIn({ name, systemPrompt, sampling, more, template }: VariantDraft): Variant | string {
  if (name.trim() === "") return "It needs a name.";
  const given = Object.entries(sampling).filter(([, text]) => text.trim() !== "");
  const wrong = given.find(([, text]) => !Number.isFinite(Number(text)));
  if (wrong) return `${wrong[0]} takes a number.`;
  const further = objectIn(more);
  if (further === null) return "Further fields: that is no JSON object.";
  const kwargs = objectIn(template);
  if (kwargs === null) return "chat_template_kwargs: that is no JSON object.";
  return {
    name: name.trim(),
    system_prompt: systemPrompt.trim() === "" ? null : systemPrompt,
    sampling: { ...further, ...Object.fromEntries(given.map(([key, text]) => [key, Number(text)])) },
    chat_template_kwargs: kwargs,
  };
}

function jsonText(value: Record<string, unknown>): string {
  return Object.keys(value).length === 0 ? "" : JSON.stringify(value);
}

function objectIn(text: string): Record<string, unknown> | null {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
