import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { run } from "../features/models/fates";
import { notes } from "../features/models/notes";
import { keyWanted } from "../lib/key";
import { isLive } from "../lib/live";
import { toasts } from "../lib/toasts";
import { FakeControlPlane, json, refusal } from "../testing/control-plane";
import { aModel, aServer } from "../testing/wire";
import { App } from "./app";

const QWEN = "Qwen 7B (Q4_K_M)";
const GEMMA = "gemma 3 4B it (Q4_K_M)";
const START_QWEN = "POST /api/models/servers/qwen_7b_fast/start?wait=false";

let plane: FakeControlPlane;
let client: QueryClient;

// The page comes in a file of its own, which takes a while to be read the first time.
beforeAll(() => import("../features/models/page").then(() => undefined), 30_000);

beforeEach(() => {
  plane = new FakeControlPlane([
    aModel(),
    aModel({ model_id: "gemma_3_4b_fast", display_name: GEMMA, family: "gemma", enabled: true, size_b: 4 }),
  ]);
});

afterEach(() => {
  cleanup();
  client.clear();
  sessionStorage.clear();
  localStorage.clear();
  run.set(null);
  notes.set({ answers: {}, dismissed: {} });
  toasts.set([]);
  location.hash = "";
  keyWanted.set("no");
  isLive.set(false);
  vi.unstubAllGlobals();
});

async function open() {
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

const button = (name: string) => screen.findByRole("button", { name });
const lookAgain = () => client.invalidateQueries();

it("lists every model with a checkbox of its name", async () => {
  await open();
  expect(
    ((await screen.findByRole("checkbox", { name: `Enabled ${GEMMA}` })) as HTMLInputElement).checked,
  ).toBe(true);
  expect((screen.getByRole("checkbox", { name: `Enabled ${QWEN}` }) as HTMLInputElement).checked).toBe(false);
});

it("enables a model, and shows what the control plane made of it", async () => {
  plane.on("PATCH /api/models/qwen_7b_fast", ({ body }) => {
    plane.change("qwen_7b_fast", body as { enabled: boolean });
    return json(plane.registry.models[0]);
  });
  const user = await open();
  const box = (await screen.findByRole("checkbox", { name: `Enabled ${QWEN}` })) as HTMLInputElement;
  await user.click(box);
  await waitFor(() => expect(box.checked).toBe(true));
  expect(plane.asked("PATCH /api/models/qwen_7b_fast")[0]?.body).toEqual({ enabled: true });
});

it("never says running before the control plane does", async () => {
  plane.on(START_QWEN, () => {
    plane.change("qwen_7b_fast", { status: "starting" });
    return json({ status: "starting" }, 202);
  });
  const user = await open();
  await user.click(await button(`START ${QWEN}`));
  await screen.findByText("starting");
  expect(screen.queryByText("running")).toBeNull();
  plane.change("qwen_7b_fast", { status: "running" });
  plane.servers = [aServer()];
  await lookAgain();
  await screen.findByText("running");
  await screen.findByText("for 1 min");
  await screen.findByText(`${QWEN} is running on port 8080`);
});

it("stops a model that is still starting", async () => {
  plane.change("qwen_7b_fast", { status: "starting" });
  plane.on("POST /api/models/servers/qwen_7b_fast/stop", () => {
    plane.change("qwen_7b_fast", { status: "stopped" });
    return json({ message: "Server stopped for qwen_7b_fast", status: "stopped" });
  });
  const user = await open();
  const stop = await button(`STOP ${QWEN}`);
  expect(stop.getAttribute("aria-disabled")).toBe("false");
  await user.click(stop);
  await waitFor(() => expect(screen.queryByText("starting")).toBeNull());
  await screen.findByText("Server stopped for qwen_7b_fast");
});

it("shows a refused start in the row, until dismissed", async () => {
  plane.on(START_QWEN, () => refusal(500, "Failed to start server", "Port 8080 already in use\nExit code 1"));
  const user = await open();
  await user.click(await button(`START ${QWEN}`));
  const failure = await screen.findByRole("region", { name: `Failure of ${QWEN}` });
  within(failure).getByText("Port 8080 already in use");
  expect(within(failure).getByText("Exit code 1").tagName).toBe("PRE");
  await user.click(await button(`Dismiss failure of ${QWEN}`));
  expect(screen.queryByRole("region", { name: `Failure of ${QWEN}` })).toBeNull();
});

it("shows why a server ended, and shows the next end again after a dismissal", async () => {
  const ended = (at: string) => ({ error: "Failed to start server", detail: "Out of memory", at });
  plane.change("qwen_7b_fast", { status: "failed", last_error: ended("2026-01-01T00:00:00Z") });
  const user = await open();
  await user.click(await button(`Dismiss failure of ${QWEN}`));
  expect(screen.queryByText("Out of memory")).toBeNull();
  plane.change("qwen_7b_fast", { last_error: ended("2026-01-01T00:01:00Z") });
  await lookAgain();
  await screen.findByText("Out of memory");
});

it("says both what START ALL was answered and what runs since", async () => {
  plane.change("qwen_7b_fast", { status: "starting" });
  plane.on("POST /api/models/servers/start-all", () => {
    plane.change("qwen_7b_fast", { status: "running" });
    return json({ message: "Started 1/1 servers", started: 1, total: 1, models: [], failed: [] });
  });
  const user = await open();
  await user.click(await button("START ALL ENABLED"));
  await screen.findByText("Started 1/1 servers");
  await screen.findByText(`${QWEN} is running on port 8080`);
});

it("shows no memory of a server that has ended since", async () => {
  plane.change("qwen_7b_fast", { status: "failed" });
  plane.servers = [aServer({ status: "starting", memory_used_mb: 4321 })];
  await open();
  await button(`START ${QWEN}`);
  expect(screen.queryByText("4.3 GB")).toBeNull();
});

it("says how a start all went, and why each failure failed in its row", async () => {
  plane.on("POST /api/models/servers/start-all", () =>
    json({
      message: "Started 0/1 servers",
      started: 0,
      total: 1,
      startup_time_seconds: 1,
      models: [],
      failed: [
        {
          model_id: "gemma_3_4b_fast",
          display_name: GEMMA,
          error: "Not enough memory",
          detail: "Needs 4 GB",
        },
      ],
    }),
  );
  const user = await open();
  await user.click(await button("START ALL ENABLED"));
  await screen.findByText("Started 0/1 servers");
  within(await screen.findByRole("region", { name: `Failure of ${GEMMA}` })).getByText("Needs 4 GB");
});

it("does not start what is missing or broken, and says why", async () => {
  plane.change("qwen_7b_fast", { missing: true });
  plane.change("gemma_3_4b_fast", { problem: "Shard 2 of 3 is missing" });
  const user = await open();
  await screen.findByText("Shard 2 of 3 is missing");
  screen.getByText("File is gone: Qwen-7B-Q4_K_M.gguf");
  await user.click(await button(`START ${QWEN}`));
  expect(plane.asked(START_QWEN)).toHaveLength(0);
});

it("pins a port, gives it back, and shows a refusal in the row", async () => {
  plane.on("PATCH /api/models/qwen_7b_fast", () =>
    refusal(409, "Port 8081 is pinned to x", "Pick another port."),
  );
  const user = await open();
  const port = await screen.findByRole("textbox", { name: `Port ${QWEN}` });
  await user.type(port, "8081{Enter}");
  await screen.findByText("Pick another port.");
  expect(plane.asked("PATCH /api/models/qwen_7b_fast")[0]?.body).toEqual({ port: 8081 });
  plane.change("qwen_7b_fast", { port: 8085, port_is_pinned: true });
  await lookAgain();
  await waitFor(() => expect((port as HTMLInputElement).value).toBe("8085"));
  await user.clear(port);
  await user.keyboard("{Enter}");
  expect(plane.asked("PATCH /api/models/qwen_7b_fast")[1]?.body).toEqual({ port: null });
});

it("overrides the tier and takes it back", async () => {
  plane.on("PATCH /api/models/qwen_7b_fast", ({ body }) => {
    const { tier } = body as { tier: "powerful" | null };
    plane.change("qwen_7b_fast", { tier: tier ?? "fast", tier_is_override: tier !== null });
    return json(plane.registry.models[0]);
  });
  const user = await open();
  const tier = (await screen.findByRole("combobox", { name: `Tier ${QWEN}` })) as HTMLSelectElement;
  expect(tier.selectedOptions[0]?.text).toBe("fast auto");
  await user.selectOptions(tier, "powerful");
  await waitFor(() => expect(tier.dataset.chosen).toBe("true"));
  await user.selectOptions(tier, "automatic");
  await waitFor(() => expect(tier.selectedOptions[0]?.text).toBe("fast auto"));
});

it("sorts by a column and searches", async () => {
  const user = await open();
  const names = () => screen.getAllByRole("rowheader").map((cell) => cell.firstChild?.textContent);
  await user.click(await button("Size"));
  expect(names()).toEqual([GEMMA, QWEN]);
  await user.click(await button("Size"));
  expect(names()).toEqual([QWEN, GEMMA]);
  await user.type(screen.getByRole("searchbox", { name: "Search models" }), "gemma");
  await waitFor(() => expect(names()).toEqual([GEMMA]));
});

it("enables all that fit", async () => {
  plane.change("qwen_7b_fast", { estimated_memory_mb: 90_000 });
  plane.on("POST /api/models/enable", () => json({ message: "Enabled 1 models", changed: 1, models: [] }));
  const user = await open();
  await screen.findByText("RAM");
  await user.click(await button("ENABLE ALL"));
  await screen.findByText(/^Enabled 1 models\. 1 left out/);
  expect(plane.asked("POST /api/models/enable")[0]?.body).toEqual({
    enabled: true,
    model_ids: ["gemma_3_4b_fast"],
  });
});

it("says that the control plane is unreachable, keeps the rows, and recovers", async () => {
  await open();
  await button(`START ${QWEN}`);
  plane.down = true;
  await lookAgain();
  await screen.findByText("The control plane is unreachable");
  await button(`START ${QWEN}`);
  plane.down = false;
  await lookAgain();
  await waitFor(() => expect(screen.queryByText("The control plane is unreachable")).toBeNull());
});

it("asks for the key, keeps it and sends it", async () => {
  plane.wantedKey = "s3cret";
  const user = await open();
  await user.type(await screen.findByLabelText("Key"), "s3cret");
  await user.click(await button("Use key"));
  await button(`START ${QWEN}`);
  expect(plane.calls.at(-1)?.key).toBe("s3cret");
  expect(sessionStorage.getItem("synapse-api-key")).toBe("s3cret");
  expect(localStorage.getItem("synapse-api-key")).toBeNull();
});

it("says how far a first scan is", async () => {
  plane = new FakeControlPlane([]);
  plane.isLive = true;
  plane.registry = { ...plane.registry, last_scan: null, scanning: true };
  await open();
  await screen.findByText("Looking for models…");
  await waitFor(() => expect(plane.heardBy).toBe(1));
  const scan = { last_scan: null, scan_seconds: null, skipped: [] };
  plane.tell({ event: "scan", data: { ...scan, scanning: true, scan_progress: 0.4 } });
  await screen.findByText("Looking for models… 40 %");
  plane.tell({ event: "scan", data: { ...scan, scanning: false, scan_progress: null } });
  await waitFor(() => expect(screen.queryByText(/40 %/)).toBeNull());
});

it("shows what it is told, without looking again", async () => {
  plane.isLive = true;
  await open();
  await button(`START ${QWEN}`);
  await waitFor(() => expect(plane.heardBy).toBe(1));
  const looks = plane.asked("GET /api/models/registry").length;
  plane.tell({
    event: "server",
    data: aServer({ status: "starting", progress: 0.42, eta_seconds: 7, memory_used_mb: 0 }),
  });
  await screen.findByText("starting");
  await screen.findByText("42 %, 7 s left");
  plane.tell({ event: "server", data: aServer({ memory_used_mb: 0 }) });
  await screen.findByText("running");
  const load = { memory_used_mb: 4321, memory_private_mb: 1, active_requests: 2, uptime_seconds: 65 };
  plane.tell({
    event: "memory",
    data: { devices: [], servers: [{ model_id: "qwen_7b_fast", replica: 1, ...load }] },
  });
  await screen.findByText("4.3 GB");
  await screen.findByText("for 1 min, 2 busy");
  plane.tell({ event: "model", data: aModel({ model_id: "new", display_name: "New 1B (Q8_0)" }) });
  await button("START New 1B (Q8_0)");
  plane.tell({ event: "server", data: aServer({ status: "stopped" }) });
  await waitFor(() => expect(screen.queryByText("running")).toBeNull());
  expect(plane.asked("GET /api/models/registry")).toHaveLength(looks);
});

it("takes a snapshot for the whole truth", async () => {
  plane.isLive = true;
  await open();
  await button(`START ${QWEN}`);
  await waitFor(() => expect(plane.heardBy).toBe(1));
  const registry = { ...plane.registry, models: [aModel({ status: "running" })] };
  plane.tell({
    event: "snapshot",
    data: {
      registry,
      servers: { servers: [aServer()], total_running: 1 },
      system: plane.system,
      downloads: [],
      benchmarks: [],
    },
  });
  await screen.findByText("running");
  expect(screen.queryByText(GEMMA)).toBeNull();
});

it("goes to what is not there, and back", async () => {
  const user = await open();
  await button(`START ${QWEN}`);
  location.hash = "#/nowhere";
  await screen.findByRole("heading", { name: "There is no such page" });
  await waitFor(() => expect(document.title).toBe("Nothing here · Synapse Engine"));
  await user.click(screen.getByRole("link", { name: "Back to the models" }));
  await button(`START ${QWEN}`);
  expect(screen.getByRole("link", { name: "Models" }).getAttribute("aria-current")).toBe("page");
});

it("does by the palette what the page can do", async () => {
  plane.on(START_QWEN, () => json({ status: "starting" }, 202));
  const user = await open();
  await button(`START ${QWEN}`);
  await user.keyboard("{Control>}k{/Control}");
  const wanted = await screen.findByRole("combobox", { name: "What to do" });
  await screen.findByRole("option", { name: /^START ALL ENABLED/ });
  await user.type(wanted, "qwen start");
  expect(screen.getAllByRole("option")[0]?.textContent).toContain(`START ${QWEN}`);
  await user.keyboard("{Enter}");
  await waitFor(() => expect(plane.asked(START_QWEN)).toHaveLength(1));
  expect(screen.queryByRole("combobox", { name: "What to do" })).toBeNull();
});

it("tells its keys, and keeps them out of what is typed", async () => {
  const user = await open();
  await user.type(await screen.findByRole("searchbox", { name: "Search models" }), "?");
  expect(screen.queryByRole("dialog")).toBeNull();
  (document.activeElement as HTMLElement).blur();
  await user.keyboard("?");
  await screen.findByRole("dialog", { name: "Keys" });
  screen.getByText("Every action and page");
});

it("takes back what was done", async () => {
  const edits: unknown[] = [];
  plane.on("PATCH /api/models/qwen_7b_fast", ({ body }) => {
    edits.push(body);
    plane.change("qwen_7b_fast", body as { enabled: boolean });
    return json(plane.registry.models[0]);
  });
  const user = await open();
  await user.click(await screen.findByRole("checkbox", { name: `Enabled ${QWEN}` }));
  await screen.findByText(`Enabled ${QWEN}.`);
  await user.click(await button("Undo"));
  await waitFor(() => expect(edits).toEqual([{ enabled: true }, { enabled: false }]));
});

it("keeps the theme that was chosen", async () => {
  const user = await open();
  await user.click(await button("Light or dark"));
  await user.click(await screen.findByRole("menuitemradio", { name: "Dark" }));
  expect(document.documentElement.dataset.theme).toBe("dark");
  expect(localStorage.getItem("synapse-theme")).toBe("dark");
  await user.click(await button("Light or dark"));
  await user.click(await screen.findByRole("menuitemradio", { name: "As the system" }));
  expect(document.documentElement.dataset.theme).toBeUndefined();
});

it("says that a restarted control plane is back, and what ran on", async () => {
  plane.system = { ...plane.system, uptime_seconds: 500 };
  await open();
  await button(`START ${QWEN}`);
  plane.down = true;
  await lookAgain();
  await screen.findByText("Away");
  plane.system = { ...plane.system, uptime_seconds: 0 };
  plane.down = false;
  let asked = 0;
  plane.on("GET /health/ready", () => {
    asked += 1;
    if (asked === 1) return refusal(503, "Starting", "Wait a little.");
    // Only now has it taken over what the one before it ran.
    plane.servers = [aServer()];
    return json({ status: "ready" });
  });
  await lookAgain();
  await screen.findByText("The control plane was restarted. 1 model kept running.");
});
