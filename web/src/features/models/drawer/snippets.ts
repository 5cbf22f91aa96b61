import type { Model } from "../../../lib/api";
import { variantsOf } from "../settings";

/** A name that a request may ask for, and what it is. */
export interface Asked {
  name: string;
  note: string;
}

/** Every name of a model and its variants. */
export function namesOf(model: Model): Asked[] {
  return [
    { name: model.model_id, note: "its id, for ever" },
    ...model.aliases.map((name) => ({ name, note: "alias" })),
    ...variantsOf(model).map(({ name }) => ({ name, note: "variant" })),
  ];
}

/** A piece of code that asks the model something. */
export interface Snippet {
  title: string;
  language: string;
  text: string;
}

interface Address {
  /** Of the control plane, without a slash at its end: `http://127.0.0.1:8000`. */
  origin: string;
  name: string;
  needsKey: boolean;
}

const QUESTION = "What is the capital of France?";
const KEY = "$SYNAPSE_API_KEY";
// Clients want one even where nobody asks for it.
const NO_KEY = "none";

/** How to ask a model of this kind, from the shell and from programs. */
export function snippetsOf(kind: Model["kind"], address: Address): Snippet[] {
  if (kind === "embedding")
    return [curlEmbedding(address), pythonEmbedding(address), ollamaEmbedding(address)];
  if (kind === "reranking") return [curlRerank(address)];
  return [
    curlChat(address),
    pythonChat(address),
    javascriptChat(address),
    ollama(address),
    anthropic(address),
  ];
}

function curlChat(address: Address): Snippet {
  const body = { model: address.name, messages: [{ role: "user", content: QUESTION }] };
  return curl("curl", address, "/v1/chat/completions", body);
}

function curlEmbedding(address: Address): Snippet {
  return curl("curl", address, "/v1/embeddings", { model: address.name, input: [QUESTION] });
}

function curlRerank(address: Address): Snippet {
  const documents = ["Paris is in France.", "Bananas are yellow."];
  return curl("curl", address, "/v1/rerank", { model: address.name, query: QUESTION, documents });
}

function pythonChat({ origin, name, needsKey }: Address): Snippet {
  return {
    title: "Python",
    language: "python",
    text: `${openaiClient(origin, needsKey)}
stream = client.chat.completions.create(
    model=${JSON.stringify(name)},
    messages=[{"role": "user", "content": "${QUESTION}"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)`,
  };
}

function pythonEmbedding({ origin, name, needsKey }: Address): Snippet {
  return {
    title: "Python",
    language: "python",
    text: `${openaiClient(origin, needsKey)}
answer = client.embeddings.create(model=${JSON.stringify(name)}, input=["${QUESTION}"])
print(answer.data[0].embedding)`,
  };
}

function openaiClient(origin: string, needsKey: boolean): string {
  const key = needsKey ? `os.environ["SYNAPSE_API_KEY"]` : `"${NO_KEY}"`;
  return `# pip install openai
${needsKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key=${key})`;
}

function javascriptChat({ origin, name, needsKey }: Address): Snippet {
  const key = needsKey ? "process.env.SYNAPSE_API_KEY" : `"${NO_KEY}"`;
  return {
    title: "JavaScript",
    language: "javascript",
    text: `// npm install openai
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${origin}/v1", apiKey: ${key} });
const answer = await client.chat.completions.create({
  model: ${JSON.stringify(name)},
  messages: [{ role: "user", content: "${QUESTION}" }],
});
console.log(answer.choices[0].message.content);`,
  };
}

function ollama({ origin, name, needsKey }: Address): Snippet {
  if (needsKey) return ollamaByHttp(origin, name);
  return {
    title: "Ollama",
    language: "sh",
    text: `OLLAMA_HOST=${origin} ollama run ${shellWord(name)} ${shellWord(QUESTION)}`,
  };
}

/** Ollama's own command sends no key. */
function ollamaByHttp(origin: string, name: string): Snippet {
  const address = { origin, name, needsKey: true };
  const body = { model: name, messages: [{ role: "user", content: QUESTION }], stream: false };
  return curl("Ollama", address, "/api/chat", body);
}

function ollamaEmbedding(address: Address): Snippet {
  return curl("Ollama", address, "/api/embed", { model: address.name, input: QUESTION });
}

function anthropic({ origin, name, needsKey }: Address): Snippet {
  const key = needsKey ? `os.environ["SYNAPSE_API_KEY"]` : `"${NO_KEY}"`;
  return {
    title: "Anthropic",
    language: "python",
    text: `# pip install anthropic
${needsKey ? "import os\n\n" : ""}from anthropic import Anthropic

client = Anthropic(base_url="${origin}", api_key=${key})
message = client.messages.create(
    model=${JSON.stringify(name)},
    max_tokens=500,
    messages=[{"role": "user", "content": "${QUESTION}"}],
)
print(message.content[0].text)`,
  };
}

function curl(title: string, { origin, needsKey }: Address, path: string, body: unknown): Snippet {
  const lines = [
    `curl ${shellWord(`${origin}${path}`)}`,
    `-H "Content-Type: application/json"`,
    ...(needsKey ? [`-H "Authorization: Bearer ${KEY}"`] : []),
    `-d ${shellWord(JSON.stringify(body, null, 2))}`,
  ];
  return { title, language: "sh", text: lines.join(" \\\n  ") };
}

/** As a POSIX shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
