import { expect, it } from "vitest";
import { aModel } from "../../../testing/wire";
import { aPlan, detailsOf } from "../testing";
import { candidates } from "./costs";
import { fitWords, slotWords } from "./estimate";
import { howItIsBuilt, whatItIs, whereItIs } from "./facts";
import { namesOf, snippetsOf } from "./snippets";
import { variantDraft, variantIn } from "./variants";

const valuesOf = (facts: { term: string; value: string }[]) =>
  Object.fromEntries(facts.map(({ term, value }) => [term, value]));

it("says what a model is, and leaves out what nobody knows", () => {
  const model = detailsOf(aModel({ capabilities: ["tools", "vision"] }));
  expect(valuesOf(whatItIs(model))).toMatchObject({
    Parameters: "7.6 B (7,615,616,512)",
    Quantization: "Q4_K_M, 4.92 bits each",
    "Trained for": "32k tokens",
    Can: "calls tools, sees pictures",
  });
  expect(valuesOf(howItIsBuilt(model))).toMatchObject({
    Heads: "28, 4 of them cached",
    "Head length": "128",
  });
  expect(howItIsBuilt(model).map(({ term }) => term)).not.toContain("Experts");
  const { shape } = model;
  const mixed = detailsOf(aModel(), {
    shape: { ...shape, experts: 128, experts_used: 8, sliding_window: 1024 },
  });
  expect(valuesOf(howItIsBuilt(mixed))).toMatchObject({
    Experts: "128, 8 used for each token",
    "Looks back": "1,024 tokens, in most layers",
  });
});

it("lists every file of it", () => {
  const model = detailsOf(aModel({ shards: 2 }), {
    files: ["/m/a-1.gguf", "/m/a-2.gguf"],
    projector: "/m/p.gguf",
  });
  expect(valuesOf(whereItIs(model))).toMatchObject({
    "Shard 1": "/m/a-1.gguf",
    "Shard 2": "/m/a-2.gguf",
    Projector: "/m/p.gguf",
  });
});

it.each([
  [{ slots: 1 }, "One request at a time, with a context of 8k tokens."],
  [{ slots: 4, request_tokens: 2048 }, "4 requests at a time, with a context of 2k tokens each."],
  [{ slots: 4 }, "4 requests at a time, with a context of 8k tokens that they share."],
])("says what requests may count on with %o", (of, words) => {
  expect(slotWords(aPlan(of))).toBe(words);
});

it("says whether it fits", () => {
  expect(fitWords(aModel(), aPlan(), false)).toBe("fits: 20 GB are free");
  expect(fitWords(aModel(), aPlan({ evicts: ["a", "b"] }), false)).toBe("fits once a and b made room");
  expect(fitWords(aModel(), aPlan({ fits: false, free_mb: 900 }), false)).toBe(
    "does not fit: 900 MB are free",
  );
  const running = aModel({ status: "running" });
  expect(fitWords(running, aPlan(), false)).toBe("runs now");
  expect(fitWords(running, aPlan(), true)).toBe("once restarted");
});

it("offers contexts up to what the model was trained for", () => {
  expect(candidates("ctx_size", 32_768)).toEqual([4096, 8192, 16_384, 32_768]);
  expect(candidates("ctx_size", 2048)).toEqual([2048]);
  expect(candidates("threads", 32_768)).toEqual([]);
});

const HERE = { origin: "http://127.0.0.1:8000", name: "qwen_7b_fast", needsKey: false };

it("writes code for every kind of model, with its name and this address", () => {
  const titles = (kind: "chat" | "embedding" | "reranking") =>
    snippetsOf(kind, HERE).map(({ title }) => title);
  expect(titles("chat")).toEqual(["curl", "Python", "JavaScript", "Ollama", "Anthropic"]);
  expect(titles("embedding")).toEqual(["curl", "Python", "Ollama"]);
  expect(titles("reranking")).toEqual(["curl"]);
  for (const { text } of snippetsOf("chat", HERE)) {
    expect(text).toContain("http://127.0.0.1:8000");
    expect(text).toContain("qwen_7b_fast");
    expect(text).not.toContain("SYNAPSE_API_KEY");
  }
});

it("names the key where one is wanted, and never holds one", () => {
  for (const { text } of snippetsOf("chat", { ...HERE, needsKey: true }))
    expect(text).toContain("SYNAPSE_API_KEY");
});

it("quotes a name for the shell", () => {
  const [curl] = snippetsOf("chat", { ...HERE, name: "it's" });
  expect(curl?.text).toContain(`"model": "it'\\''s"`);
});

it("knows every name that a model may be asked for as", () => {
  const model = aModel({ aliases: ["gpt-4o"], settings: { variants: [{ name: "pirate" }] } });
  expect(namesOf(model).map(({ name }) => name)).toEqual(["qwen_7b_fast", "gpt-4o", "pirate"]);
});

it("writes a variant as fields, and reads it again", () => {
  const variant = {
    name: "coder",
    system_prompt: "Only code.",
    sampling: { temperature: 0.2, top_k: 40, stop: ["###"] },
    chat_template_kwargs: { enable_thinking: false },
  };
  const draft = variantDraft(variant);
  expect(draft.sampling).toEqual({ temperature: "0.2", top_k: "40" });
  expect(draft.more).toBe('{"stop":["###"]}');
  expect(variantIn(draft)).toEqual(variant);
});

it.each([
  [{ name: " " }, "It needs a name."],
  [{ sampling: { top_p: "many" } }, "top_p takes a number."],
  [{ more: "[1]" }, "Further fields: that is no JSON object."],
  [{ template: "{" }, "chat_template_kwargs: that is no JSON object."],
])("says what is wrong with a variant of %o", (of, words) => {
  const draft = { name: "a", systemPrompt: "", sampling: {}, more: "", template: "" };
  expect(variantIn({ ...draft, ...of })).toBe(words);
});
