import type { Contestant } from "./contestants";
import { firstOf } from "./contestants";
import type { Benchmark, BenchmarkAsk, Prompt, PromptAsk, PromptSet } from "./wire";

/** A prompt that somebody has written. */
export interface OwnPrompt {
  /** So that a row keeps its place on the page. */
  key: number;
  name: string;
  text: string;
  system: string;
  maxTokens: number;
  fixedLength: boolean;
}

/** What the next run shall be, as it is on the form. */
export interface Choice {
  title: string;
  models: string[];
  sets: string[];
  own: OwnPrompt[];
  manner: "together" | "isolated";
  turns: "in_turn" | "at_once";
  repetitions: number;
  warmUps: number;
  /** Empty: nobody. */
  judge: string;
  temperature: number;
  seed: number;
  /** null: the prompts' own. */
  maxTokens: number | null;
  fixedLength: boolean;
  reusePromptCache: boolean;
}

export type Step =
  | { do: "edit"; of: Partial<Choice> }
  | { do: "models"; names: string[]; on: boolean }
  | { do: "set"; name: string; on: boolean }
  | { do: "add" }
  | { do: "write"; key: number; of: Partial<OwnPrompt> }
  | { do: "drop"; key: number };

const MOST_REQUESTS = 20_000;
const MOST_MODELS = 50;
const MOST_PROMPTS = 200;
const OWN_TOKENS = 256;

export const BLANK: Choice = {
  title: "",
  models: [],
  sets: ["chat"],
  own: [],
  manner: "together",
  turns: "in_turn",
  repetitions: 3,
  warmUps: 1,
  judge: "",
  temperature: 0,
  seed: 42,
  maxTokens: null,
  fixedLength: false,
  reusePromptCache: false,
};

/** The choice after a step on the form. */
export function choiceAfter(choice: Choice, step: Step): Choice {
  switch (step.do) {
    case "edit": {
      const edited = { ...choice, ...step.of };
      // One model is up at a time, so there is nobody to ask beside it.
      return edited.manner === "isolated" ? { ...edited, turns: "in_turn" } : edited;
    }
    case "models":
      return { ...choice, models: toggled(choice.models, step.names, step.on) };
    case "set":
      return { ...choice, sets: toggled(choice.sets, [step.name], step.on) };
    case "add":
      return { ...choice, own: [...choice.own, blankPrompt(choice.own)] };
    case "write": {
      const own = choice.own.map((prompt) => (prompt.key === step.key ? { ...prompt, ...step.of } : prompt));
      return { ...choice, own };
    }
    case "drop":
      return { ...choice, own: choice.own.filter(({ key }) => key !== step.key) };
  }
}

/** Every prompt of a choice, those of the sets first, as they go over the wire. */
export function promptsOf({ sets, own }: Choice, known: PromptSet[]): PromptAsk[] {
  const ofSets = known.filter(({ name }) => sets.includes(name)).flatMap(({ prompts }) => prompts);
  return [...ofSets.map(asked), ...own.map(ownAsked)];
}

/** Why it cannot begin yet, in words; null where it can. */
export function problemOf(choice: Choice, known: PromptSet[]): string | null {
  const prompts = promptsOf(choice, known);
  const requests = choice.models.length * prompts.length * choice.repetitions;
  const problems: [boolean, string][] = [
    [choice.models.length === 0, "Choose a model."],
    [
      choice.models.length > MOST_MODELS,
      `At most ${MOST_MODELS} models; ${choice.models.length} are chosen.`,
    ],
    [prompts.length === 0, "Choose a set of prompts, or write one."],
    [prompts.length > MOST_PROMPTS, `At most ${MOST_PROMPTS} prompts; these are ${prompts.length}.`],
    [choice.own.some(({ text }) => text.trim() === ""), "One of your prompts is empty."],
    [!isWhole(choice.repetitions, 1, 100), "Repetitions are from 1 to 100."],
    [!isWhole(choice.warmUps, 0, 10), "Warm-ups are from 0 to 10."],
    [!(choice.temperature >= 0 && choice.temperature <= 2), "The temperature is from 0 to 2."],
    [!isWhole(choice.seed, 0, 2 ** 32 - 1), "The seed is a whole number from 0."],
    [
      prompts.some(({ max_tokens }) => !isWhole(max_tokens, 1, 100_000)),
      "An answer has 1 to 100,000 tokens.",
    ],
    [
      choice.maxTokens !== null && !isWhole(choice.maxTokens, 1, 100_000),
      "An answer has 1 to 100,000 tokens.",
    ],
    [choice.judge !== "" && choice.models.length < 2, "A judge needs answers of two models or more."],
    [requests > MOST_REQUESTS, `That makes ${requests} requests; at most ${MOST_REQUESTS} are done.`],
  ];
  return problems.find(([isSo]) => isSo)?.[1] ?? null;
}

/** The choice as the control plane is asked for it. One built-in set goes by its name, further ones as prompts. */
export function askOf(choice: Choice, known: PromptSet[]): BenchmarkAsk {
  const [first, ...others] = known.filter(({ name }) => choice.sets.includes(name)).map(({ name }) => name);
  return {
    title: choice.title.trim() || null,
    models: choice.models,
    prompt_set: first ?? null,
    prompts: promptsOf({ ...choice, sets: others }, known),
    manner: choice.manner,
    turns: choice.turns,
    repetitions: choice.repetitions,
    warm_ups: choice.warmUps,
    judge: choice.judge || null,
    temperature: choice.temperature,
    seed: choice.seed,
    max_tokens: choice.maxTokens,
    fixed_length: choice.fixedLength,
    reuse_prompt_cache: choice.reusePromptCache,
  };
}

/** What an earlier run was asked for, to ask for the same again. */
export function choiceOf(run: Benchmark, known: PromptSet[]): Choice {
  const prompts = run.results.map(({ prompt }) => prompt);
  const has = (of: Prompt) =>
    prompts.some((prompt) => prompt.text === of.text && prompt.system === of.system);
  const sets = known.filter((set) => set.prompts.every(has));
  const inSets = new Set(sets.flatMap((set) => set.prompts.map(({ text }) => text)));
  return {
    title: run.title ?? "",
    models: run.models,
    sets: sets.map(({ name }) => name),
    own: prompts.filter(({ text }) => !inSets.has(text)).map(ownOf),
    manner: run.manner,
    turns: run.turns,
    repetitions: run.repetitions,
    warmUps: run.warm_ups,
    judge: run.judge ?? "",
    temperature: run.temperature,
    seed: run.seed,
    maxTokens: run.max_tokens,
    fixedLength: run.fixed_length,
    reusePromptCache: run.reuse_prompt_cache,
  };
}

/** A sensible first run: short questions to what runs, so that nothing has to be stopped. */
export function firstChoice(contestants: Contestant[]): Choice {
  return { ...BLANK, models: firstOf(contestants).map(({ name }) => name) };
}

function toggled(names: string[], which: string[], on: boolean): string[] {
  const others = names.filter((name) => !which.includes(name));
  return on ? [...others, ...which] : others;
}

function blankPrompt(own: OwnPrompt[]): OwnPrompt {
  const key = Math.max(0, ...own.map((prompt) => prompt.key)) + 1;
  return { key, name: "", text: "", system: "", maxTokens: OWN_TOKENS, fixedLength: false };
}

function asked({ name, text, system, max_tokens, fixed_length }: Prompt): PromptAsk {
  return { name, text, system, max_tokens, fixed_length };
}

function ownAsked({ name, text, system, maxTokens, fixedLength }: OwnPrompt): PromptAsk {
  return {
    name: name.trim() || null,
    text,
    system: system.trim() ? system : null,
    max_tokens: maxTokens,
    fixed_length: fixedLength,
  };
}

function ownOf({ name, text, system, max_tokens, fixed_length }: Prompt, index: number): OwnPrompt {
  return {
    key: index + 1,
    name,
    text,
    system: system ?? "",
    maxTokens: max_tokens,
    fixedLength: fixed_length,
  };
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
