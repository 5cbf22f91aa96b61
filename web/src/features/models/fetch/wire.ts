import type { components } from "../../../lib/api.gen";
import { request } from "../../../lib/http";

type Schemas = components["schemas"];

export type Download = Schemas["DownloadOut"];
export type DownloadList = Schemas["DownloadList"];
export type Offer = Schemas["OfferOut"];
export type Repository = Schemas["RepositoryOut"];

export const wire = {
  downloads: (signal?: AbortSignal) => request<DownloadList>("/api/downloads", { signal }),
  look: (repo: string, signal?: AbortSignal) =>
    request<Repository>(`/api/downloads/search?repo=${encodeURIComponent(repo)}`, { signal }),
  begin: (repo: string, file: string | null) =>
    request<Download>("/api/downloads", { method: "POST", body: file === null ? { repo } : { repo, file } }),
  resume: (id: string) => request<Download>(`${pathOf(id)}/resume`, { method: "POST" }),
  /** Leaves what is there, so that it can go on. */
  pause: (id: string) => request<Download>(`${pathOf(id)}?keep=true`, { method: "DELETE" }),
  /** Takes it from the list, and throws away what is not whole. */
  remove: (id: string) => request<Download>(pathOf(id), { method: "DELETE" }),
};

const pathOf = (id: string) => `/api/downloads/${encodeURIComponent(id)}`;
