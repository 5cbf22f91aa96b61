import { expect, it } from "vitest";
import { aModel, aServer } from "../../testing/wire";
import {
  askOf,
  BLANK,
  type Choice,
  choiceAfter,
  choiceOf,
  firstChoice,
  problemOf,
  type Step,
} from "./choice";
import { contestantsOf, firstOf, soughtOf } from "./contestants";
import { forecastOf, type Known, questionsToJudge } from "./forecast";
import { aBenchmark, SETS } from "./testing";

const QWEN = aModel({ enabled: true, status: "running" });
const PHI = aModel({
  model_id: "phi_4b_fast",
  display_name: "Phi 4B (Q8_0)",
  enabled: true,
  measured_memory_mb: 3000,
});
const BIG = aModel({ model_id: "big_70b_powerful", display_name: "Big 70B", tier: "powerful" });
const UPSTREAM = {
  name: "box",
  url: "http://box",
  has_key: false,
  key_header: "authorization" as const,
  model: null,
  reachable: true,
  models: ["llama"],
  problem: null,
  checked_at: null,
};
const CONTESTANTS = contestantsOf([BIG, PHI, QWEN], [UPSTREAM]);
const namesOf = (of: { name: string }[]) => of.map(({ name }) => name);
const after = (...steps: Step[]) => steps.reduce(choiceAfter, BLANK);
const TWO: Choice = { ...BLANK, models: ["qwen_7b_fast", "phi_4b_fast"] };

it("offers what chats: running, enabled, the rest, variants, then what is elsewhere", () => {
  const variant = aModel({
    model_id: "a_1b_fast",
    display_name: "A",
    settings: { variants: [{ name: "terse" }] },
  });
  const others = [aModel({ kind: "embedding" }), aModel({ missing: true }), aModel({ problem: "cut short" })];
  expect(namesOf(contestantsOf([...others, variant, PHI, QWEN], [UPSTREAM]))).toEqual([
    "qwen_7b_fast",
    "phi_4b_fast",
    "a_1b_fast",
    "a_1b_fast:terse",
    "box/llama",
  ]);
});

it.each([
  ["", "", ["qwen_7b_fast", "phi_4b_fast", "big_70b_powerful", "box/llama"]],
  ["qwen RUN", "", ["qwen_7b_fast"]],
  ["", "powerful", ["big_70b_powerful"]],
  ["", "elsewhere", ["box/llama"]],
  ["nobody", "", []],
] as const)("finds %j of tier %j", (search, tier, names) => {
  expect(namesOf(soughtOf(CONTESTANTS, { search, tier }))).toEqual(names);
});

it("begins with what runs, and with another that is enabled where that is alone", () => {
  expect(namesOf(firstOf(CONTESTANTS))).toEqual(["qwen_7b_fast", "phi_4b_fast"]);
  const running = ["a", "b", "c", "d"].map((id, size) =>
    aModel({ model_id: id, status: "running", measured_memory_mb: 400 - size }),
  );
  expect(namesOf(firstOf(contestantsOf(running, [])))).toEqual(["d", "c", "b"]);
  expect(firstChoice(contestantsOf([BIG], [])).models).toEqual([]);
});

it("toggles models and sets, and writes prompts of one's own", () => {
  const choice = after(
    { do: "models", names: ["a", "b"], on: true },
    { do: "models", names: ["a"], on: false },
    { do: "models", names: ["b", "c"], on: true },
    { do: "set", name: "code", on: true },
    { do: "set", name: "chat", on: false },
    { do: "add" },
    { do: "add" },
    { do: "write", key: 2, of: { text: "Why?" } },
    { do: "drop", key: 1 },
  );
  expect(choice.models).toEqual(["b", "c"]);
  expect(choice.sets).toEqual(["code"]);
  expect(choice.own.map(({ key, text }) => [key, text])).toEqual([[2, "Why?"]]);
  expect(choiceAfter(choice, { do: "add" }).own.map(({ key }) => key)).toEqual([2, 3]);
});

it("asks in turn where one model is up at a time", () => {
  const together = after({ do: "edit", of: { turns: "at_once" } });
  expect(together.turns).toBe("at_once");
  expect(choiceAfter(together, { do: "edit", of: { manner: "isolated" } }).turns).toBe("in_turn");
});

it.each<[Partial<Choice>, string | null]>([
  [{}, null],
  [{ models: [] }, "Choose a model."],
  [{ sets: [] }, "Choose a set of prompts, or write one."],
  [
    { own: [{ key: 1, name: "", text: " ", system: "", maxTokens: 9, fixedLength: false }] },
    "One of your prompts is empty.",
  ],
  [{ repetitions: Number.NaN }, "Repetitions are from 1 to 100."],
  [{ repetitions: 101 }, "Repetitions are from 1 to 100."],
  [{ warmUps: 1.5 }, "Warm-ups are from 0 to 10."],
  [{ temperature: Number.NaN }, "The temperature is from 0 to 2."],
  [{ seed: -1 }, "The seed is a whole number from 0."],
  [{ maxTokens: 0 }, "An answer has 1 to 100,000 tokens."],
  [{ models: ["qwen_7b_fast"], judge: "phi_4b_fast" }, "A judge needs answers of two models or more."],
  [{ models: Array.from({ length: 51 }, (_, at) => `m${at}`) }, "At most 50 models; 51 are chosen."],
])("with %o says %j", (of, problem) => {
  expect(problemOf({ ...TWO, ...of }, SETS)).toBe(problem);
});

it("asks for one set by its name, and for what is beside it as prompts", () => {
  const own = { key: 1, name: " ", text: "Why?", system: " ", maxTokens: 9, fixedLength: true };
  const ask = askOf(
    { ...TWO, sets: ["code", "chat"], own: [own], title: " A ", judge: "qwen_7b_fast" },
    SETS,
  );
  expect(ask).toMatchObject({ prompt_set: "chat", title: "A", judge: "qwen_7b_fast", max_tokens: null });
  expect(ask.prompts.map(({ name, text, system, max_tokens }) => [name, text, system, max_tokens])).toEqual([
    ["sort", "Sort a list.", null, 256],
    [null, "Why?", null, 9],
  ]);
});

it("asks again for what a run was asked for", () => {
  const [capital] = aBenchmark().results;
  const own = { name: "why", text: "Why?", system: "Be brief.", max_tokens: 9, fixed_length: false };
  const results = [...(SETS[0]?.prompts ?? []), own].map((prompt) => ({
    prompt,
    answers: capital?.answers ?? [],
  }));
  const run = aBenchmark({ results, manner: "isolated", repetitions: 5, judge: "phi_4b_fast", title: "A" });
  const choice = choiceOf(run, SETS);
  expect(choice).toMatchObject({ sets: ["chat"], manner: "isolated", repetitions: 5, judge: "phi_4b_fast" });
  expect(askOf(choice, SETS)).toMatchObject({ prompt_set: "chat", prompts: [own], models: run.models });
});

function known(of: Partial<Known> = {}): Known {
  const speed = { requests: 1, errors: 0, prompt_tokens: 1, output_tokens: 1, first_byte_p95_seconds: 1 };
  return {
    contestants: CONTESTANTS,
    sets: SETS,
    servers: [aServer()],
    devices: [
      { name: "RAM", kind: "ram", total_mb: 32_000, limit_mb: 28_800, reserved_mb: 0, free_mb: 20_000 },
    ],
    speeds: ["qwen_7b_fast", "phi_4b_fast"].map((model_id) => ({
      ...speed,
      model_id,
      output_per_second: 16,
      first_byte_seconds: 1,
    })),
    before: 0,
    ...of,
  };
}

// Each model: 3 x ((1 + 64/16) + (1 + 160/16)) + (1 + 16/16) = 50 s.
it.each<[string, Partial<Choice>, Partial<Known>, string[]]>([
  [
    "together, one of two runs",
    {},
    {},
    [
      "12 measured requests: 2 models, 2 prompts, 3 repetitions. Before, 2 requests to warm up.",
      "About 1 min at most by their speeds in the last 7 days, without loading.",
      "Starts 1 model (Phi 4B (Q8_0)); about 3 GB are needed, 20 GB are free. Afterwards the fleet is put back as it was.",
    ],
  ],
  [
    "all run already, judged",
    { models: ["qwen_7b_fast"], warmUps: 0, judge: "qwen_7b_fast" },
    {},
    [
      "6 measured requests: 1 model, 2 prompts, 3 repetitions.",
      "About 48 s at most by their speeds in the last 7 days, without the judge and loading.",
      "All of them run already: nothing is started or stopped.",
    ],
  ],
  [
    "in isolation, behind another, of unknown speed",
    { manner: "isolated" },
    { before: 1, speeds: [] },
    [
      "It waits for 1 run to end first.",
      "12 measured requests: 2 models, 2 prompts, 3 repetitions. Before, 2 requests to warm up.",
      "How long it takes is not known: Qwen 7B (Q4_K_M), Phi 4B (Q8_0) did not answer here in the last 7 days.",
      "Stops 1 running model (Qwen 7B (Q4_K_M)) once their requests have ended, brings them back when the run ends. Starts and stops 2 models, one at a time. Meanwhile nobody else can start a model.",
    ],
  ],
  [
    "in isolation, with what runs stopped for so long",
    { manner: "isolated", models: ["qwen_7b_fast"], warmUps: 0 },
    {},
    [
      "6 measured requests: 1 model, 2 prompts, 3 repetitions.",
      "About 48 s at most by their speeds in the last 7 days, without loading.",
      "Stops 1 running model (Qwen 7B (Q4_K_M)) once their requests have ended, brings them back when the run ends (about 48 s, and loading). Starts and stops 1 model, one at a time. Meanwhile nobody else can start a model.",
    ],
  ],
  [
    "in isolation, where nothing runs",
    { manner: "isolated" },
    { servers: [aServer({ status: "failed" })] },
    [
      "12 measured requests: 2 models, 2 prompts, 3 repetitions. Before, 2 requests to warm up.",
      "About 1 min at most by their speeds in the last 7 days, without loading.",
      "No model runs, so none is stopped. Starts and stops 2 models, one at a time. Meanwhile nobody else can start a model.",
    ],
  ],
])("says what it will do: %s", (_, of, what, lines) => {
  expect(forecastOf({ ...TWO, ...of }, known(what))).toEqual(lines);
});

it("says where memory is short, and what is elsewhere", () => {
  const short = known({ devices: [] });
  const lines = forecastOf({ ...TWO, models: ["phi_4b_fast", "box/llama"] }, short);
  expect(lines.at(-2)).toContain("idle models are stopped for them, and what does not fit is left out");
  expect(lines.at(-1)).toBe("1 model elsewhere: asked over the network, and its memory is not known.");
});

it.each([
  [2, 3, 6],
  [3, 2, 12],
  [1, 5, 0],
])("counts for %d models and %d prompts %d questions to the judge", (models, prompts, questions) => {
  expect(questionsToJudge(models, prompts)).toBe(questions);
});
