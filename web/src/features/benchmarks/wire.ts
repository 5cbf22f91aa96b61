import type { components } from "../../lib/api.gen";
import { request, stream } from "../../lib/http";

type Schemas = components["schemas"];

export type Brief = Schemas["BenchmarkBrief"];
export type Benchmark = Schemas["BenchmarkOut"];
export type BenchmarkAsk = Schemas["BenchmarkAsk"];
export type PromptAsk = Schemas["PromptAsk"];
export type Page = Schemas["BenchmarkList"];
export type PromptSet = Schemas["PromptSetOut"];
export type PromptSets = Schemas["PromptSets"];
export type Prompt = Schemas["PromptOut"];
export type Spread = Schemas["SpreadOut"];
export type Figures = Schemas["FiguresOut"];
export type ModelResult = Schemas["ModelResult"];
export type PromptResult = Schemas["PromptResult"];
export type Sample = Schemas["SampleOut"];
export type Answer = Schemas["AnswerOut"];
export type Judgement = Schemas["JudgementOut"];
export type Verdict = Schemas["ComparisonOut"];
export type Comparison = Schemas["BenchmarkComparison"];
export type Compared = Schemas["ComparedOut"];
export type Ratio = Schemas["RatioOut"];
export type Ratios = Schemas["RatiosOut"];
export type Upstreams = Schemas["UpstreamList"];
export type SpeedsHere = Schemas["ActivitySummary"];

export const FORMATS = ["csv", "json", "markdown"] as const;
export type Format = (typeof FORMATS)[number];

/** How far back requests tell how fast a model is here. */
export const KNOWN_DAYS = 7;
const PAGE_RUNS = 50;
const PATH = "/api/benchmarks";

export const wire = {
  list: (before: number | null, signal?: AbortSignal) =>
    request<Page>(`${PATH}?limit=${PAGE_RUNS}${before === null ? "" : `&before=${before}`}`, { signal }),
  one: (id: number, signal?: AbortSignal) => request<Benchmark>(`${PATH}/${id}`, { signal }),
  promptSets: (signal?: AbortSignal) => request<PromptSets>(`${PATH}/prompts`, { signal }),
  compare: (a: number, b: number, signal?: AbortSignal) =>
    request<Comparison>(`${PATH}/compare?a=${a}&b=${b}`, { signal }),
  begin: (ask: BenchmarkAsk) => request<Brief>(PATH, { method: "POST", body: ask }),
  cancel: (id: number) => request<Brief>(`${PATH}/${id}/cancel`, { method: "POST" }),
  remove: (id: number) => request<Schemas["BenchmarkDeleted"]>(`${PATH}/${id}`, { method: "DELETE" }),
  exported: async (id: number, format: Format) =>
    new Response(await stream(exportPath(id, format), new AbortController().signal)).text(),
  upstreams: (signal?: AbortSignal) => request<Upstreams>("/api/upstreams", { signal }),
  speedsHere: (signal?: AbortSignal) =>
    request<SpeedsHere>(`/api/activity/summary?minutes=${KNOWN_DAYS * 24 * 60}`, { signal }),
};

export function exportPath(id: number, format: Format): string {
  return `${PATH}/${id}/export?format=${format}`;
}
