import type { Benchmark, Brief, Figures, ModelResult, PromptSet, Spread } from "./wire";

export function aBrief(of: Partial<Brief> = {}): Brief {
  return {
    id: 3,
    title: null,
    status: "done",
    now: null,
    models: ["qwen_7b_fast", "phi_4b_fast"],
    prompts: ["capital"],
    manner: "together",
    turns: "in_turn",
    repetitions: 3,
    judge: null,
    total_requests: 6,
    done_requests: 6,
    failed_requests: 0,
    progress: 1,
    eta_seconds: null,
    created_at: "2026-01-01T00:00:00Z",
    began_at: "2026-01-01T00:00:00Z",
    ended_at: "2026-01-01T00:01:30Z",
    error: null,
    ...of,
  };
}

export function aSpread(median: number, of: Partial<Spread> = {}): Spread {
  const [minimum, maximum] = [median * 0.9, median * 1.1];
  return { count: 3, median, minimum, maximum, p10: minimum, p90: maximum, relative: 0.2, ...of };
}

export function someFigures(of: Partial<Figures> = {}): Figures {
  return {
    first_token_seconds: aSpread(0.1),
    prompt_per_second: aSpread(300),
    output_per_second: aSpread(40),
    total_seconds: aSpread(2),
    prompt_tokens: aSpread(20),
    output_tokens: aSpread(60),
    energy_joules: null,
    ...of,
  };
}

export const NO_FIGURES: Figures = {
  first_token_seconds: null,
  prompt_per_second: null,
  output_per_second: null,
  total_seconds: null,
  prompt_tokens: null,
  output_tokens: null,
  energy_joules: null,
};

export function aResult(of: Partial<ModelResult> = {}): ModelResult {
  return {
    model: "qwen_7b_fast",
    model_id: "qwen_7b_fast",
    display_name: "Qwen 7B (Q4_K_M)",
    quantization: "Q4_K_M",
    size_b: 7.6,
    file_size_mb: 4700,
    load_seconds: 4,
    was_running: false,
    memory_used_mb: 5200,
    memory_private_mb: 600,
    requests: 3,
    failed: 0,
    figures: someFigures(),
    standing: null,
    error: null,
    ...of,
  };
}

const CAPITAL = {
  name: "capital",
  text: "What is the capital of France?",
  system: null,
  max_tokens: 64,
  fixed_length: false,
};

export const PHI = { model: "phi_4b_fast", model_id: "phi_4b_fast", display_name: "Phi 4B (Q8_0)" };

/** Two models, one prompt, three repetitions; the second is the faster one. */
export function aBenchmark(of: Partial<Benchmark> = {}): Benchmark {
  const fast = someFigures({ output_per_second: aSpread(80), total_seconds: aSpread(1) });
  const answer = { thinking: null, finish_reason: "stop", failed: 0 };
  return {
    ...aBrief(),
    temperature: 0,
    seed: 42,
    warm_ups: 1,
    max_tokens: null,
    fixed_length: false,
    reuse_prompt_cache: false,
    machine: { engine: "b9000", cpus: 8, memory_mb: 32_000, energy: null },
    notes: ["Seed 42, temperature 0."],
    by_model: [aResult(), aResult({ ...PHI, figures: fast, memory_used_mb: 3000 })],
    results: [
      {
        prompt: CAPITAL,
        answers: [
          { ...answer, model: "qwen_7b_fast", text: "It is **Paris**.", figures: someFigures() },
          { ...answer, model: PHI.model, text: "Paris.", figures: fast },
        ],
      },
    ],
    judgement: null,
    samples: ["qwen_7b_fast", PHI.model].flatMap((model) =>
      [1, 2, 3].map((number) => aSample(model, number)),
    ),
    ...of,
  };
}

export function aSample(model: string, repetition: number): Benchmark["samples"][number] {
  return {
    model,
    prompt: 0,
    repetition,
    began_at: "2026-01-01T00:00:00Z",
    first_token_seconds: 0.1,
    prompt_per_second: 300,
    output_per_second: 40,
    total_seconds: 2,
    prompt_tokens: 20,
    cached_tokens: 0,
    output_tokens: 60,
    finish_reason: "stop",
    memory_used_mb: 5200,
    memory_private_mb: 600,
    energy_joules: null,
    other_requests: 0,
    text: "Paris.",
    thinking: "",
    error: null,
  };
}

export const SETS: PromptSet[] = [
  {
    name: "chat",
    title: "Short chat",
    description: "Short questions.",
    prompts: [CAPITAL, { ...CAPITAL, name: "tea", text: "How is tea made?", max_tokens: 160 }],
  },
  {
    name: "code",
    title: "Code",
    description: "Writing code.",
    prompts: [{ ...CAPITAL, name: "sort", text: "Sort a list.", max_tokens: 256 }],
  },
];
