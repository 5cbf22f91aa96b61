import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Model, Registry, Server, ServerList, System } from "./api";
import { type LiveEvent, listen } from "./events";
import { ApiError, Unreachable } from "./http";
import { apiKey } from "./key";
import { byModel, serverKey } from "./replicas";
import { createStore } from "./store";

/** Every model with its status, and every server that is not stopped. */
export interface Fleet {
  registry: Registry;
  list: ServerList;
}

const AGAIN_MS = 1000;

/** Whether every change is being told; where not, the page has to look for itself. */
export const isLive = createStore(false);

type Hearer = (event: LiveEvent) => void;

const hearers = new Set<Hearer>();

/** Tells every event as it comes, until the returned function is called. */
export function hearEvents(hearer: Hearer): () => void {
  hearers.add(hearer);
  return () => void hearers.delete(hearer);
}

/** Keeps what the page shows in step with the control plane, for as long as the page can be seen. */
export function useLive(): void {
  const client = useQueryClient();
  useEffect(() => {
    const leaving = new AbortController();
    void stayLive(client, leaving.signal);
    return () => leaving.abort();
  }, [client]);
}

/** A look that takes a while, brought up to what was told meanwhile. */
export async function lookedAt(look: Promise<Fleet>): Promise<Fleet> {
  const told: LiveEvent[] = [];
  const hearNoMore = hearEvents((event) => told.push(event));
  try {
    return told.reduce(fleetAfter, await look);
  } finally {
    hearNoMore();
  }
}

/** The fleet after an event. */
export function fleetAfter(fleet: Fleet, { event, data }: LiveEvent): Fleet {
  const { registry, list } = fleet;
  switch (event) {
    case "snapshot":
      return { registry: data.registry, list: data.servers };
    case "server": {
      const after = listAfter(list, data);
      const { status, last_error, restart_required } = byModel(after.servers).get(data.model_id) ?? data;
      const models = changed(registry.models, data, () => ({ status, last_error, restart_required }));
      return { registry: { ...registry, models }, list: after };
    }
    case "model": {
      const isKnown = registry.models.some(({ model_id }) => model_id === data.model_id);
      const models = isKnown ? changed(registry.models, data, () => data) : [...registry.models, data];
      return { ...fleet, registry: { ...registry, models } };
    }
    case "scan":
      return { ...fleet, registry: { ...registry, ...data } };
    case "memory": {
      const loads = new Map(data.servers.map((load) => [serverKey(load), load]));
      const servers = list.servers.map((server) => ({ ...server, ...loads.get(serverKey(server)) }));
      return { ...fleet, list: { ...list, servers } };
    }
    default:
      return fleet;
  }
}

function listAfter({ servers: before }: ServerList, server: Server): ServerList {
  const others = before.filter((other) => serverKey(other) !== serverKey(server));
  const servers = server.status === "stopped" ? others : [...others, server];
  const running = servers.filter(({ status }) => status === "running");
  return { servers, total_running: new Set(running.map(({ model_id }) => model_id)).size };
}

function changed(models: Model[], of: { model_id: string }, into: () => Partial<Model>): Model[] {
  return models.map((model) => (model.model_id === of.model_id ? { ...model, ...into() } : model));
}

async function stayLive(client: QueryClient, leaving: AbortSignal): Promise<void> {
  while (!leaving.aborted) {
    const key = apiKey();
    let failure: unknown = null;
    // A browser opens six connections to a host: a tab that nobody sees must not hold one.
    if (document.visibilityState !== "hidden") {
      failure = await untilBroken(client, leaving);
      if ((isLive.get() || isNews(client, failure)) && !leaving.aborted) void client.invalidateQueries();
      isLive.set(false);
    }
    const isRefused = failure instanceof ApiError && failure.status === 401;
    do await pause(leaving);
    while (isRefused && apiKey() === key && !leaving.aborted);
  }
}

/** One that ends in order answers for a moment after its last event: that it is gone shows at the next try. */
function isNews(client: QueryClient, failure: unknown): boolean {
  return failure instanceof Unreachable && client.getQueryState(["fleet"])?.error === null;
}

/** Hears events until the connection breaks; null where it ended, else why it failed. */
async function untilBroken(client: QueryClient, leaving: AbortSignal): Promise<unknown> {
  const hiding = new AbortController();
  const look = () => document.visibilityState === "hidden" && hiding.abort();
  document.addEventListener("visibilitychange", look);
  try {
    await listen((event) => hear(client, event), AbortSignal.any([leaving, hiding.signal]));
    return null;
  } catch (failure) {
    return failure;
  } finally {
    document.removeEventListener("visibilitychange", look);
  }
}

function hear(client: QueryClient, event: LiveEvent): void {
  isLive.set(true);
  for (const hearer of hearers) hearer(event);
  client.setQueryData<Fleet>(["fleet"], (fleet) => {
    if (fleet) return fleetAfter(fleet, event);
    return event.event === "snapshot" ? { registry: event.data.registry, list: event.data.servers } : fleet;
  });
  client.setQueryData<System>(["system"], (system) => {
    if (event.event === "snapshot") return event.data.system;
    return system && event.event === "memory" ? { ...system, devices: event.data.devices } : system;
  });
}

/** A while, or until the page is looked at again. */
function pause(leaving: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", go);
      leaving.removeEventListener("abort", go);
      resolve();
    };
    const timer = setTimeout(go, AGAIN_MS);
    document.addEventListener("visibilitychange", go);
    leaving.addEventListener("abort", go);
  });
}
