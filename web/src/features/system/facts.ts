import type { System } from "../../lib/api";
import type { components } from "../../lib/api.gen";
import { durationWords } from "../../lib/format";

type EngineChoice = components["schemas"]["EngineChoice"];

/** A term and what there is to say of it. */
export type Fact = [term: string, value: string];

export function controlPlaneFacts(system: System): Fact[] {
  const { version, uptime_seconds, api_key_required, port_range, refresh_seconds } = system;
  return [
    ["Version", version],
    ["Up for", durationWords(uptime_seconds)],
    ["Address", location.origin],
    ["API key", api_key_required ? "required" : "not required"],
    ["Ports of servers", `${port_range.start} to ${port_range.end}`],
    ["Page looks every", durationWords(refresh_seconds)],
  ];
}

/** Where the control plane keeps what is its own. */
export function ownPathFacts({ paths }: System): Fact[] {
  return [
    ["Data", paths.data_dir],
    ["Registry", paths.registry],
    ["Logs", paths.logs],
  ];
}

/** An engine by the name that a model's setting `engine` may have. */
export function engineName({ name }: EngineChoice): string {
  return name ?? "default";
}

/** All of it as text, for a report of a problem. */
export function reportOf(system: System, engines: EngineChoice[]): string {
  const engineFacts = engines.map(
    (engine): Fact => [
      `Engine ${engineName(engine)}`,
      engine.problem ?? `${engine.version ?? "version unknown"}, ${engine.path}`,
    ],
  );
  const deviceFacts = system.devices.map(
    (device): Fact => [device.name, `${device.kind}, ${device.total_mb} MB, ${device.free_mb} MB free`],
  );
  const searched = system.paths.scan_paths.map((path): Fact => ["Models are looked for in", path]);
  return [...controlPlaneFacts(system), ...engineFacts, ...deviceFacts, ...ownPathFacts(system), ...searched]
    .map(([term, value]) => `${term}: ${value}`)
    .join("\n");
}
