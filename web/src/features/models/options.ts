import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, type EngineChoice, type EngineOption, type Model } from "../../lib/api";

export type OptionHelp = ReadonlyMap<string, EngineOption>;

// What an engine says of itself changes only when it is replaced on the disk.
const STEADY = { staleTime: 5 * 60_000, retry: false };
const NONE: EngineChoice[] = [];

/** Ours, which no engine explains. */
const OWN_OPTIONS: EngineOption[] = [
  own("autostart", "switch", "Started when the control plane starts."),
  own("pinned", "switch", "Never stopped to make room for another."),
  own(
    "keep_prompt_cache",
    "switch",
    "What it has worked out of prompts is kept on the disk when it stops by itself, and is there again when it comes up.",
  ),
  own(
    "idle_stop_seconds",
    "number",
    "Stopped after so many seconds without a request, whoever started it; 0 is never.",
    "seconds",
  ),
  own(
    "replicas",
    "number",
    "How many servers of it share its requests. Each takes the memory of one.",
    "1 to 64",
  ),
  {
    ...own("restart", "choice", "Which ends are followed by another start."),
    choices: ["always", "on-failure", "never"],
    default: "on-failure",
  },
  own(
    "devices",
    "text",
    "Which memory its layers may use: auto, cpu, or names of GPUs as the engine lists them.",
    "auto, cpu, or names",
  ),
  own("env", "text", "Added to the server's environment.", "NAME=VALUE ..."),
  own("extra_args", "text", "Passed to llama-server as they are, last.", "words"),
];

function own(
  name: string,
  kind: EngineOption["kind"],
  help: string,
  hint = "",
  initial = kind === "switch" ? "false" : null,
): EngineOption {
  return { name, hint, help, kind, choices: [], default: initial, is_deprecated: false };
}

/** The names of ours. */
export const OWN_NAMES: ReadonlySet<string> = new Set(["engine", ...OWN_OPTIONS.map(({ name }) => name)]);

/** Which options most people look for, in this order; what an engine does not have is left out. */
export const COMMON_NAMES = [
  "ctx_size",
  "parallel",
  "cache_type_k",
  "cache_type_v",
  "n_gpu_layers",
  "n_cpu_moe",
  "flash_attn",
  "cache_ram",
  "threads",
  "batch_size",
  "ubatch_size",
  "reasoning_budget",
];

/** Every setting that a model may have on its engine, each with its explanation. Ours are there without any. */
export function useOptionHelp(model: Model): OptionHelp {
  const engine = typeof model.settings.engine === "string" ? model.settings.engine : null;
  const engines = useEngines();
  const { data } = useQuery({
    queryKey: ["options", engine],
    queryFn: ({ signal }) => api.options(engine, signal),
    ...STEADY,
  });
  return useMemo(() => {
    const all = [...engineChoice(engines), ...OWN_OPTIONS, ...(data?.options ?? [])];
    return new Map(all.map((option) => [option.name, option]));
  }, [engines, data]);
}

/** The default engine and those that models may choose. */
export function useEngines(): EngineChoice[] {
  const { data } = useQuery({
    queryKey: ["engines"],
    queryFn: ({ signal }) => api.engines(signal),
    ...STEADY,
  });
  return data?.engines ?? NONE;
}

/** Where there is more than one. */
function engineChoice(engines: EngineChoice[]): EngineOption[] {
  const choices = engines.flatMap(({ name }) => name ?? []);
  if (choices.length === 0) return [];
  return [{ ...own("engine", "choice", "Which of several engines runs it; else the default one."), choices }];
}
