import { apiKey, keyWanted } from "./key";

/** What the control plane answered: its `error` and `detail`, and the HTTP status. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly error: string,
    readonly detail: string,
  ) {
    super(detail ? `${error}: ${detail}` : error);
    this.name = "ApiError";
  }
}

/** No answer at all: the control plane is down, restarting, or the network is. */
export class Unreachable extends Error {
  constructor() {
    super("The control plane does not answer.");
    this.name = "Unreachable";
  }
}

/** Why something was refused, in the control plane's words where it has said any. */
export function refusalOf(failure: unknown): { error: string; detail: string } {
  if (failure instanceof ApiError) return { error: failure.error, detail: failure.detail };
  return { error: failure instanceof Error ? failure.message : String(failure), detail: "" };
}

const OFFLINE_MS = 1000;

/** When to look again after a failed look: soon; but not before there is a key, where one is wanted. */
export function retryMs(failure: Error): number | false {
  return failure instanceof ApiError && failure.status === 401 ? false : OFFLINE_MS;
}

interface Asked {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** Asks the control plane. Throws ApiError for its refusals, Unreachable when nobody answers. */
export async function request<T>(path: string, { method = "GET", body, signal }: Asked = {}): Promise<T> {
  const key = apiKey();
  const headers: Record<string, string> = { Accept: "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await answerOf(path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  if (response.ok) return (await response.json()) as T;
  if (response.status === 401 && key === apiKey()) keyWanted.set(key ? "refused" : "absent");
  throw await apiErrorOf(response);
}

/** A body that comes as it comes. Throws ApiError for refusals, Unreachable when nobody answers. */
export async function stream(path: string, signal: AbortSignal): Promise<ReadableStream<BufferSource>> {
  const key = apiKey();
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (key) headers.Authorization = `Bearer ${key}`;
  const response = await answerOf(path, { headers, signal });
  if (response.ok && response.body !== null) return response.body as ReadableStream<BufferSource>;
  if (response.status === 401 && key === apiKey()) keyWanted.set(key ? "refused" : "absent");
  throw await apiErrorOf(response);
}

async function answerOf(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === "AbortError") throw failure;
    throw new Unreachable();
  }
}

/** `/api` answers `{error, detail}`, `/v1` answers `{error: {message}}`, a proxy in between anything. */
export async function apiErrorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  const fallback = `The control plane answered ${response.status}`;
  try {
    const { error, detail } = JSON.parse(text) as { error?: unknown; detail?: unknown };
    if (typeof error === "object" && error !== null && "message" in error) {
      return new ApiError(response.status, String(error.message), "");
    }
    return new ApiError(response.status, typeof error === "string" ? error : fallback, wordsOf(detail));
  } catch {
    return new ApiError(response.status, fallback, text.slice(0, 2000));
  }
}

function wordsOf(detail: unknown): string {
  if (typeof detail === "string") return detail;
  return detail === undefined || detail === null ? "" : JSON.stringify(detail, null, 2);
}
