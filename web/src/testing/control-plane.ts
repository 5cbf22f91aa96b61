import { vi } from "vitest";
import type { Model, Registry, Server, System } from "../lib/api";
import type { LiveEvent } from "../lib/events";
import { aRegistry, aSystem } from "./wire";

export interface Call {
  method: string;
  path: string;
  body: unknown;
  key: string | null;
}

type Answer = Response | Promise<Response>;

/** A control plane in the place of `fetch`: answers the reads from what it holds, the rest from `on`. */
export class FakeControlPlane {
  calls: Call[] = [];
  registry: Registry;
  servers: Server[] = [];
  system: System = aSystem();
  down = false;
  wantedKey: string | null = null;
  /** Whether it tells what happens; see `tell`. */
  isLive = false;
  private readonly listeners = new Set<ReadableStreamDefaultController<Uint8Array>>();
  private readonly answers = new Map<string, (call: Call) => Answer>();

  constructor(models: Model[]) {
    this.registry = aRegistry(models);
    vi.stubGlobal("fetch", (path: string, init: RequestInit) => this.answer(path, init));
  }

  on(route: string, answer: (call: Call) => Answer): void {
    this.answers.set(route, answer);
  }

  change(modelId: string, of: Partial<Model>): void {
    const models = this.registry.models.map((model) =>
      model.model_id === modelId ? { ...model, ...of } : model,
    );
    this.registry = { ...this.registry, models };
  }

  tell({ event, data }: LiveEvent): void {
    const block = new TextEncoder().encode(`id: 1\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    for (const listener of this.listeners) listener.enqueue(block);
  }

  get heardBy(): number {
    return this.listeners.size;
  }

  private get list() {
    const running = this.servers.filter(({ status }) => status === "running");
    return { servers: this.servers, total_running: running.length };
  }

  private eventStream(): Response {
    let own: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        this.listeners.add(controller);
      },
      cancel: () => void this.listeners.delete(own),
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  asked(route: string): Call[] {
    return this.calls.filter((call) => `${call.method} ${call.path}` === route);
  }

  private async answer(path: string, init: RequestInit): Promise<Response> {
    if (this.down) throw new TypeError("Failed to fetch");
    const authorization = new Headers(init.headers).get("Authorization");
    const key = authorization?.replace("Bearer ", "") ?? null;
    const body = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    const call = { method: init.method ?? "GET", path, body, key };
    this.calls.push(call);
    if (this.wantedKey !== null && key !== this.wantedKey)
      return refusal(401, "API key missing", "Send one.");
    const route = `${call.method} ${path}`;
    return this.answers.get(route)?.(call) ?? this.read(route);
  }

  private read(route: string): Response {
    if (route === "GET /api/models/registry") return json(this.registry);
    if (route === "GET /api/models/servers") return json(this.list);
    if (route === "GET /api/events" && this.isLive) return this.eventStream();
    if (route === "GET /api/system") return json(this.system);
    return refusal(404, `Nothing here: ${route}`, "");
  }
}

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
}

export function refusal(status: number, error: string, detail: string): Response {
  return json({ error, detail }, status);
}
