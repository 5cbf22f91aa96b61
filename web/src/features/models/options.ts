import { useQuery } from "@tanstack/react-query";
import { api, type EngineChoice, type EngineOption, type Model } from "../../lib/api";

export type OptionHelp = ReadonlyMap<string, EngineOption>;

// What an engine says of itself changes only when it is replaced on the disk.
const STEADY = { staleTime: 5 * 60_000, retry: false };
const NONE: OptionHelp = new Map();

/** Ours, which no engine explains. */
const OWN_OPTIONS: EngineOption[] = [
  { name: "autostart", hint: "", help: "Started when the control plane starts." },
  { name: "restart", hint: "always, on-failure, never", help: "Which ends are followed by another start." },
  { name: "extra_args", hint: "words", help: "Passed to llama-server as they are, last." },
  { name: "env", hint: "NAME=VALUE ...", help: "Added to the server's environment." },
  { name: "devices", hint: "auto, cpu, or names", help: "Where it may run." },
  { name: "pinned", hint: "", help: "Never stopped to make room for another." },
];

/** Every setting that a model may have on its engine, each with its explanation. */
export function useOptionHelp(model: Model): OptionHelp {
  const engine = typeof model.settings.engine === "string" ? model.settings.engine : null;
  const { data } = useQuery({
    queryKey: ["options", engine],
    queryFn: ({ signal }) => api.options(engine, signal),
    select: byName,
    ...STEADY,
  });
  return data ?? NONE;
}

/** The default engine and those that models may choose. */
export function useEngines(): EngineChoice[] {
  const { data } = useQuery({
    queryKey: ["engines"],
    queryFn: ({ signal }) => api.engines(signal),
    ...STEADY,
  });
  return data?.engines ?? [];
}

function byName({ options }: { options: EngineOption[] }): OptionHelp {
  return new Map([...OWN_OPTIONS, ...options].map((option) => [option.name, option]));
}
