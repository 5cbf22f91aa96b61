import type { components } from "./api.gen";
import { request } from "./http";

type Schemas = components["schemas"];

export type Model = Schemas["ModelOut"];
export type Server = Schemas["ServerOut"];
export type Status = Model["status"];
export type Tier = Model["tier"];
export type Registry = Schemas["RegistryOut"];
export type ServerList = Schemas["ServerList"];
export type System = Schemas["SystemOut"];
export type ModelEdit = Schemas["ModelEdit"];
export type StartedServer = Schemas["StartedServer"];
export type StoppedServer = Schemas["StoppedServer"];
export type StartedAll = Schemas["StartedAll"];
export type StoppedAll = Schemas["StoppedAll"];
export type Enabled = Schemas["Enabled"];
export type Rescanned = Schemas["Rescanned"];
export type SkippedFile = Schemas["SkippedFile"];
export type LogLines = Schemas["LogLines"];
export type EngineOption = Schemas["EngineOption"];
export type EngineChoice = Schemas["EngineChoice"];
export type Plan = Schemas["PlanOut"];
export type Device = Schemas["DeviceOut"];
export type LastError = Schemas["LastError"];

const serverPath = (modelId: string) => `/api/models/servers/${encodeURIComponent(modelId)}`;

export const api = {
  registry: (signal?: AbortSignal) => request<Registry>("/api/models/registry", { signal }),
  servers: (signal?: AbortSignal) => request<ServerList>("/api/models/servers", { signal }),
  system: (signal?: AbortSignal) => request<System>("/api/system", { signal }),

  /**
   * Asks for a start and does not wait for it: a browser opens six connections to a host, and six
   * loading models would leave none for STOP. How it went is read from the registry.
   */
  start: (modelId: string, force = false) =>
    request<StartedServer>(`${serverPath(modelId)}/start?wait=false${force ? "&force=true" : ""}`, {
      method: "POST",
    }),
  stop: (modelId: string) => request<StoppedServer>(`${serverPath(modelId)}/stop`, { method: "POST" }),
  /** The given models, or all that are enabled. */
  startAll: (modelIds?: string[]) =>
    request<StartedAll>("/api/models/servers/start-all", {
      method: "POST",
      ...(modelIds ? { body: { model_ids: modelIds } } : {}),
    }),
  stopAll: () => request<StoppedAll>("/api/models/servers/stop-all", { method: "POST" }),
  log: (modelId: string, signal?: AbortSignal) =>
    request<LogLines>(`${serverPath(modelId)}/logs?tail=200`, { signal }),

  engines: (signal?: AbortSignal) => request<Schemas["EngineList"]>("/api/engines", { signal }),
  options: (engine: string | null, signal?: AbortSignal) =>
    request<Schemas["EngineOptions"]>(
      engine === null ? "/api/engines/options" : `/api/engines/options?engine=${encodeURIComponent(engine)}`,
      { signal },
    ),

  edit: (modelId: string, edit: ModelEdit) =>
    request<Model>(`/api/models/${encodeURIComponent(modelId)}`, { method: "PATCH", body: edit }),
  enable: (enabled: boolean, modelIds: string[]) =>
    request<Enabled>("/api/models/enable", { method: "POST", body: { enabled, model_ids: modelIds } }),
  release: (modelId: string) =>
    request<Model>(`/api/models/${encodeURIComponent(modelId)}/release`, { method: "POST" }),
  details: (modelId: string, signal?: AbortSignal) =>
    request<Schemas["ModelDetails"]>(`/api/models/${encodeURIComponent(modelId)}`, { signal }),
  summaryOf: (modelId: string, minutes: number, signal?: AbortSignal) =>
    request<Schemas["ActivitySummary"]>(
      `/api/activity/summary?minutes=${minutes}&model=${encodeURIComponent(modelId)}`,
      { signal },
    ),
  /** The plan of a start with settings that are not saved. */
  planWith: (modelId: string, settings: Readonly<Record<string, unknown>>, signal?: AbortSignal) =>
    request<Plan>(`/api/models/${encodeURIComponent(modelId)}/plan`, {
      method: "POST",
      body: { settings },
      signal,
    }),
  plan: (modelId: string, signal?: AbortSignal) =>
    request<Plan>(`/api/models/${encodeURIComponent(modelId)}/plan`, { signal }),
  rescan: () => request<Rescanned>("/api/models/rescan", { method: "POST" }),

  ask: (modelId: string, question: string, signal: AbortSignal) =>
    request<ChatAnswer>("/v1/chat/completions", {
      method: "POST",
      body: { model: modelId, messages: [{ role: "user", content: question }], stream: false },
      signal,
    }),
};

/** As much of an OpenAI chat completion as the page shows. */
export interface ChatAnswer {
  choices: { message: { content?: string | null; reasoning_content?: string | null } }[];
  usage?: { completion_tokens?: number } | undefined;
}
