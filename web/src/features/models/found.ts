import type { Model } from "../../lib/api";

// A model is replaced whenever something of it changes, so that what was put together once stays right.
const texts = new WeakMap<Model, string>();

/** Every word of the search must be somewhere in what the row says about the model. */
export function found(models: Model[], search: string): Model[] {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return models;
  return models.filter((model) => {
    const text = textOf(model);
    return wanted.every((word) => text.includes(word));
  });
}

function textOf(model: Model): string {
  const known = texts.get(model);
  if (known !== undefined) return known;
  const text = searchable(model);
  texts.set(model, text);
  return text;
}

function searchable(model: Model): string {
  const { display_name, model_id, family, quantization, tier, kind, status, repo, port, file_path } = model;
  const flags = [
    model.enabled ? "enabled" : "disabled",
    model.held && "held",
    model.missing && "missing",
    model.problem && "problem",
  ];
  return [
    display_name,
    model_id,
    family,
    quantization,
    tier,
    kind,
    status,
    repo,
    port,
    file_path,
    ...model.aliases,
    ...model.capabilities,
    ...flags,
  ]
    .filter(Boolean)
    .join(" ")
    .toLowerCase();
}
