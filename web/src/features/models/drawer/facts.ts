import type { components } from "../../../lib/api.gen";
import { contextWords, memoryWords, sizeWords } from "../../../lib/format";

export type ModelDetails = components["schemas"]["ModelDetails"];

/** A term and what there is to say of it; paths and ids are written as code. */
export interface Fact {
  term: string;
  value: string;
  isCode?: boolean;
}

const CAPABILITIES: Record<string, string> = {
  tools: "calls tools",
  thinking: "thinks before it answers",
  vision: "sees pictures",
  audio: "hears sound",
  multi_token: "predicts several tokens at a time",
};

const KINDS: Record<string, string> = {
  chat: "chat",
  embedding: "embedding: turns text into vectors",
  reranking: "reranking: sorts documents by a question",
};

/** What a person would ask first. */
export function whatItIs(model: ModelDetails): Fact[] {
  return known([
    ["Parameters", parametersOf(model)],
    ["Quantization", quantizationOf(model)],
    ["Trained for", model.context_length === null ? null : `${contextWords(model.context_length)} tokens`],
    ["Kind", KINDS[model.kind] ?? model.kind],
    ["Can", model.capabilities.map((name) => CAPABILITIES[name] ?? name).join(", ") || null],
    ["Family", [model.family, model.version, model.variant].filter(Boolean).join(" ")],
  ]);
}

/** How its header says that it is built. */
export function howItIsBuilt({ architecture, shape }: ModelDetails): Fact[] {
  const count = (value: number | null) => value?.toLocaleString("en") ?? null;
  return known([
    ["Architecture", architecture],
    ["Layers", count(shape.layers)],
    ["Width", count(shape.embedding_length)],
    ["Heads", headsOf(shape)],
    ["Head length", lengthsOf(shape)],
    ["Feed-forward", count(shape.feed_forward_length)],
    ["Experts", expertsOf(shape)],
    [
      "Looks back",
      shape.sliding_window === null ? null : `${count(shape.sliding_window)} tokens, in most layers`,
    ],
    ["State", shape.is_recurrent ? "of fixed size in some layers, whatever the context" : null],
    ["Vocabulary", shape.vocabulary_size === null ? null : `${count(shape.vocabulary_size)} tokens`],
  ]);
}

/** Where it lies, and what lies with it. */
export function whereItIs(model: ModelDetails): Fact[] {
  const files = model.files.length > 1 ? model.files : [model.file_path];
  const shards = model.shards > 1 ? ` in ${model.shards} shards` : "";
  return [
    { term: "Id", value: model.model_id, isCode: true },
    ...known([
      ["On disk", memoryWords(model.file_size_mb) + shards],
      ["From", model.repo],
      ["Its store says", model.names.join(", ") || null],
    ]),
    ...files.map((value, index) => ({
      term: model.shards > 1 ? `Shard ${index + 1}` : "File",
      value,
      isCode: true,
    })),
    ...coded("Projector", model.projector),
    ...coded("Draft", model.draft),
    ...model.adapters.flatMap((path) => coded("Adapter", path)),
  ];
}

function parametersOf({ size_b, parameter_count }: ModelDetails): string | null {
  if (size_b === null) return null;
  const exact = parameter_count === null ? "" : ` (${parameter_count.toLocaleString("en")})`;
  return `${sizeWords(size_b)}${exact}`;
}

function quantizationOf({ quantization, parameter_count, weights_mb }: ModelDetails): string | null {
  if (quantization === null) return null;
  if (!parameter_count || weights_mb === 0) return quantization;
  return `${quantization}, ${((weights_mb * 8e6) / parameter_count).toFixed(2)} bits each`;
}

function headsOf({ heads, kv_heads }: ModelDetails["shape"]): string | null {
  if (heads === null) return null;
  return kv_heads === null || kv_heads === heads ? String(heads) : `${heads}, ${kv_heads} of them cached`;
}

function lengthsOf({ key_length, value_length }: ModelDetails["shape"]): string | null {
  if (key_length === null) return null;
  return value_length === null || value_length === key_length
    ? String(key_length)
    : `keys ${key_length}, values ${value_length}`;
}

function expertsOf({ experts, experts_used }: ModelDetails["shape"]): string | null {
  if (experts === null) return null;
  return experts_used === null ? String(experts) : `${experts}, ${experts_used} used for each token`;
}

function known(facts: [term: string, value: string | null][]): Fact[] {
  return facts.flatMap(([term, value]) => (value ? [{ term, value }] : []));
}

function coded(term: string, value: string | null): Fact[] {
  return value === null ? [] : [{ term, value, isCode: true }];
}
