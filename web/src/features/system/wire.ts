import type { components } from "../../lib/api.gen";
import { request } from "../../lib/http";

type Schemas = components["schemas"];

export type Setting = Schemas["SettingOut"];
export type SettingList = Schemas["SettingsOut"];
export type Upstream = Schemas["UpstreamOut"];
export type UpstreamList = Schemas["UpstreamList"];
/** Without `api_key` the one before stays. */
export type UpstreamAsk = Partial<Schemas["UpstreamAsk"]> & { url: string };
export type Diagnosis = Schemas["Diagnosis"];
export type Finding = Schemas["FindingOut"];

const upstreamPath = (name: string) => `/api/upstreams/${encodeURIComponent(name)}`;

export const wire = {
  diagnosis: (signal?: AbortSignal) => request<Diagnosis>("/api/doctor", { signal }),
  settings: (signal?: AbortSignal) => request<SettingList>("/api/settings", { signal }),
  /** null puts the default back. */
  edit: (field: string, value: unknown) =>
    request<SettingList>("/api/settings", { method: "PATCH", body: { [field]: value } }),
  upstreams: (signal?: AbortSignal) => request<UpstreamList>("/api/upstreams", { signal }),
  putUpstream: (name: string, ask: UpstreamAsk) =>
    request<Upstream>(upstreamPath(name), { method: "PUT", body: ask }),
  removeUpstream: (name: string) => request<unknown>(upstreamPath(name), { method: "DELETE" }),
};
