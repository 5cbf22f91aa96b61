import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { type UserEvent, userEvent } from "@testing-library/user-event";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "../../components/toasts";
import { hearKeys } from "../../lib/keys";
import { isLive, useLive } from "../../lib/live";
import { toasts } from "../../lib/toasts";
import { FakeControlPlane, json, refusal } from "../../testing/control-plane";
import { aModel, aPlan, aServer } from "../../testing/wire";
import { run } from "./fates";
import { notes } from "./notes";
import ModelsPage from "./page";
import { NOTHING, selection } from "./selection";
import { weighed } from "./weighed";

const NAMES = { a: "Alpha 7B", b: "Beta 3B", c: "Gamma 70B", d: "Delta 1B" };
type Id = keyof typeof NAMES;

let plane: FakeControlPlane;
let client: QueryClient;
let hearNoMore: () => void;

// Fetched when it is opened first, which takes a while.
beforeAll(() => import("./drawer/drawer").then(() => undefined), 30_000);

beforeEach(() => {
  plane = new FakeControlPlane([
    aModel({ model_id: "a", display_name: NAMES.a, enabled: true }),
    aModel({ model_id: "b", display_name: NAMES.b, status: "running", size_b: 3, port: 8081 }),
    aModel({ model_id: "c", display_name: NAMES.c, tier: "powerful", size_b: 70, held: true }),
    aModel({ model_id: "d", display_name: NAMES.d, kind: "embedding", size_b: 1, enabled: true }),
  ]);
  plane.servers = [aServer({ model_id: "b", memory_used_mb: 2000 })];
});

afterEach(() => {
  hearNoMore();
  cleanup();
  client.clear();
  selection.set(NOTHING);
  run.set(null);
  weighed.set([]);
  notes.set({ answers: {}, dismissed: {} });
  toasts.set([]);
  isLive.set(false);
  location.hash = "";
  vi.unstubAllGlobals();
});

function Shell() {
  useLive();
  return (
    <>
      <ModelsPage />
      <Toasts />
    </>
  );
}

async function open(hash = ""): Promise<UserEvent> {
  location.hash = hash;
  hearNoMore = hearKeys();
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <Shell />
    </QueryClientProvider>,
  );
  await screen.findByRole("table", { name: "Models" });
  return userEvent.setup();
}

async function openLive(): Promise<UserEvent> {
  plane.isLive = true;
  const user = await open();
  await waitFor(() => expect(plane.heardBy).toBe(1));
  return user;
}

const rows = () => screen.queryAllByRole("rowheader").map((cell) => cell.firstChild?.textContent);
const button = (name: string | RegExp) => screen.getByRole("button", { name });
const box = (name: string) => screen.getByRole("checkbox", { name });
const startPath = (id: Id, query = "") => `POST /api/models/servers/${id}/start?wait=false${query}`;
const query = () => new URLSearchParams(location.hash.split("?")[1]);
const look = () => act(() => client.invalidateQueries());

it("tells each row's place among all, and which way it is sorted", async () => {
  const user = await open();
  const table = screen.getByRole("table", { name: "Models" });
  expect(table.getAttribute("aria-rowcount")).toBe("5");
  expect(
    [...table.querySelectorAll("[aria-rowindex]")].map((row) => row.getAttribute("aria-rowindex")),
  ).toEqual(["1", "2", "3", "4", "5"]);
  await user.click(button("Size"));
  await user.click(button("Size"));
  await waitFor(() => expect(rows()).toEqual([NAMES.c, NAMES.a, NAMES.b, NAMES.d]));
  expect(screen.getByRole("columnheader", { name: "Size" }).getAttribute("aria-sort")).toBe("descending");
  await waitFor(() => expect(query().get("sort")).toBe("-size"));
});

it("takes search, filters and order from the address", async () => {
  await open("#/?q=gguf&tier=fast,balanced&kind=chat&sort=-size");
  expect(rows()).toEqual([NAMES.a, NAMES.b]);
  expect((screen.getByRole("searchbox", { name: "Search models" }) as HTMLInputElement).value).toBe("gguf");
  screen.getByText("2 of 4 models");
});

it("puts what is searched into the address, beside what others have there", async () => {
  const user = await open("#/?tab=log");
  await user.type(screen.getByRole("searchbox", { name: "Search models" }), "beta");
  await waitFor(() => expect(rows()).toEqual([NAMES.b]));
  await waitFor(() => expect(query().get("q")).toBe("beta"));
  expect(query().get("tab")).toBe("log");
});

it("follows an address that changes under it", async () => {
  await open();
  act(() => {
    location.hash = "#/?only=held";
  });
  await waitFor(() => expect(rows()).toEqual([NAMES.c]));
});

it("filters by marks and menus, with how many there are of each", async () => {
  const user = await open();
  await user.click(button("Enabled 2"));
  await waitFor(() => expect(rows()).toEqual([NAMES.a, NAMES.d]));
  expect(button("Enabled 2").getAttribute("aria-pressed")).toBe("true");
  await user.click(button(/^Kind/));
  await user.click(await screen.findByRole("menuitemcheckbox", { name: "embedding 1" }));
  await waitFor(() => expect(rows()).toEqual([NAMES.d]));
  await user.keyboard("{Escape}");
  await user.click(button("Clear"));
  await waitFor(() => expect(rows()).toHaveLength(4));
  await waitFor(() => expect([...query().keys()]).toEqual([]));
});

it("offers only marks that some model has", async () => {
  await open();
  button("Held 1");
  expect(screen.queryByRole("button", { name: /^File gone/ })).toBeNull();
});

it("says that nothing matches, and shows all again", async () => {
  const user = await open("#/?q=nothing&only=held");
  screen.getByText("No model matches “nothing” and the filters.");
  screen.getByText("0 of 4 models");
  await user.click(button("Show all models"));
  await waitFor(() => expect(rows()).toHaveLength(4));
});

it("marks a range with Shift, and starts the marked ones", async () => {
  plane.on("POST /api/models/servers/start-all", () =>
    json({
      message: "Started 2/3 servers",
      started: 2,
      total: 3,
      startup_time_seconds: 1,
      models: [],
      failed: [{ model_id: "c", display_name: NAMES.c, error: "Not enough memory", detail: "Needs 40 GB" }],
    }),
  );
  const user = await open();
  await user.click(box(`Select ${NAMES.a}`));
  await user.keyboard("{Shift>}");
  await user.click(box(`Select ${NAMES.c}`));
  await user.keyboard("{/Shift}");
  const bar = screen.getByRole("region", { name: "Selected models" });
  expect(bar.textContent).toContain("4 selected");
  expect(bar.textContent).toContain("Would take 16.8 GB; 20 GB free");
  await user.click(box(`Select ${NAMES.d}`));
  await user.click(button("START selected"));
  expect(plane.asked("POST /api/models/servers/start-all")[0]?.body).toEqual({ model_ids: ["a", "c"] });
  const fates = await screen.findByRole("region", { name: "What is being started" });
  await within(fates).findByText("Started 2/3 servers");
  within(fates).getByText("Not enough memory: Needs 40 GB");
});

it("says how many of the marked are not shown", async () => {
  const user = await open();
  await user.click(box("Select all that are shown"));
  await user.type(screen.getByRole("searchbox", { name: "Search models" }), "beta");
  await screen.findByText("(3 not shown)");
  await user.click(button("None: select nothing"));
  expect(screen.queryByRole("region", { name: "Selected models" })).toBeNull();
});

it("enables the marked ones, and takes it back for those that it changed", async () => {
  plane.on("POST /api/models/enable", () => json({ message: "Enabled 2 models", changed: 2, models: [] }));
  const user = await open();
  await user.click(box("Select all that are shown"));
  await user.click(button("Enable selected"));
  await screen.findByText("Enabled 2 models");
  await user.click(button("Undo"));
  const asked = plane.asked("POST /api/models/enable").map(({ body }) => body);
  expect(asked).toEqual([
    { enabled: true, model_ids: ["a", "b", "c", "d"] },
    { enabled: false, model_ids: ["b", "c"] },
  ]);
});

it("puts the marked ones into a tier, and each back into its own", async () => {
  plane.change("c", { tier_is_override: true });
  for (const id of ["a", "c"]) plane.on(`PATCH /api/models/${id}`, () => json(plane.registry.models[0]));
  const user = await open();
  await user.click(box(`Select ${NAMES.a}`));
  await user.click(box(`Select ${NAMES.c}`));
  await user.selectOptions(screen.getByRole("combobox", { name: "Tier of selected" }), "balanced");
  await screen.findByText("Tier of 2 models: BALANCED");
  await user.click(button("Undo"));
  await screen.findByText("Tier of 2 models: as before");
  const tiers = (id: Id) => plane.asked(`PATCH /api/models/${id}`).map(({ body }) => body);
  expect(tiers("a")).toEqual([{ tier: "balanced" }, { tier: null }]);
  expect(tiers("c")).toEqual([{ tier: "balanced" }, { tier: "powerful" }]);
});

it("stops the marked ones that run, and notes a refusal in its row", async () => {
  plane.change("a", { status: "starting" });
  plane.on("POST /api/models/servers/a/stop", () => json({ message: "Stopped", status: "stopped" }));
  plane.on("POST /api/models/servers/b/stop", () =>
    refusal(503, "Still looking for the server of b", "Soon."),
  );
  const user = await open();
  await user.click(box("Select all that are shown"));
  await user.click(button("STOP selected"));
  await screen.findByText("Stopped 1 model");
  within(screen.getByRole("region", { name: `Failure of ${NAMES.b}` })).getByText("Soon.");
});

it("shows the fate of each as it is told", async () => {
  plane.on("POST /api/models/servers/start-all", () => new Promise(() => undefined));
  const user = await openLive();
  await user.click(button("START ALL ENABLED"));
  const fates = await screen.findByRole("region", { name: "What is being started" });
  within(fates).getByText("Starting 2 models");
  expect(within(fates).getAllByText("asked for")).toHaveLength(2);
  const tell = (id: Id, of: Parameters<typeof aServer>[0]) =>
    act(() => plane.tell({ event: "server", data: aServer({ model_id: id, ...of }) }));
  tell("a", { status: "queued" });
  await within(fates).findByText("waits its turn");
  tell("a", { status: "starting", progress: 0.5, eta_seconds: 3 });
  await within(fates).findByText("loading, 50 %, 3 s left");
  const at = "2026-01-01T00:00:00Z";
  tell("d", {
    status: "failed",
    last_error: { error: "Failed to start server", detail: "Bad flag\nlog", at },
  });
  await within(fates).findByText("Bad flag");
  tell("a", { status: "running" });
  await within(fates).findByText("running on port 8080");
  within(fates).getByText("1 of 2 running, 1 failed");
  expect(toasts.get()).toEqual([]);
  await user.click(button("Close what is being started"));
  expect(screen.queryByRole("region", { name: "What is being started" })).toBeNull();
});

it("starts again what STOP ALL has stopped, whenever that was told", async () => {
  let answer = () => {};
  plane.on("POST /api/models/servers/stop-all", () => {
    const stopped = { message: "Stopped 1 servers", stopped: 1, shutdown_time_seconds: 1, failed: [] };
    return new Promise((resolve) => {
      answer = () => resolve(json(stopped));
    });
  });
  const user = await openLive();
  await user.click(button("STOP ALL SERVERS"));
  act(() => plane.tell({ event: "server", data: aServer({ model_id: "b", status: "stopped" }) }));
  await waitFor(() => expect(screen.queryByText("running")).toBeNull());
  await act(async () => answer());
  await user.click(await screen.findByRole("button", { name: "START them again" }));
  expect(plane.asked("POST /api/models/servers/start-all")[0]?.body).toEqual({ model_ids: ["b"] });
});

it("shows what a start would take while START is pointed at, and who would stop", async () => {
  plane.on("GET /api/models/a/plan", () => json(aPlan({ evicts: ["b"] })));
  const user = await open();
  const memory = screen.getByRole("region", { name: "Memory" });
  await user.hover(button(`START ${NAMES.a}`));
  await within(memory).findByText("Alpha 7B takes 5.6 GB (estimated). Beta 3B would stop for it.");
  await user.unhover(button(`START ${NAMES.a}`));
  await waitFor(() => expect(memory.querySelector("p")?.textContent).toBe(""));
  await user.hover(button(`START ${NAMES.a}`));
  await within(memory).findByText(/would stop for it/);
  expect(plane.asked("GET /api/models/a/plan")).toHaveLength(1);
});

it("shows what the one would take that was come to last, by pointer or keyboard", async () => {
  for (const id of ["a", "d"]) plane.on(`GET /api/models/${id}/plan`, () => json(aPlan()));
  const user = await open();
  const memory = screen.getByRole("region", { name: "Memory" });
  await user.hover(button(`START ${NAMES.a}`));
  await within(memory).findByText(/^Alpha 7B takes/);
  act(() => button(`START ${NAMES.d}`).focus());
  await within(memory).findByText(/^Delta 1B takes/);
  act(() => button(`START ${NAMES.d}`).blur());
  await within(memory).findByText(/^Alpha 7B takes/);
});

it("offers to start anyway, where memory was refused", async () => {
  plane.on(startPath("a"), () => refusal(507, "Not enough memory", "It needs 9000 MB of RAM."));
  plane.on(startPath("a", "&force=true"), () => json({ status: "starting" }, 202));
  const user = await open();
  await user.click(button(`START ${NAMES.a}`));
  await user.click(await screen.findByRole("button", { name: `Start anyway: ${NAMES.a}` }));
  await waitFor(() => expect(plane.asked(startPath("a", "&force=true"))).toHaveLength(1));
  expect(screen.queryByRole("region", { name: `Failure of ${NAMES.a}` })).toBeNull();
});

it("tries with a smaller context, which is kept", async () => {
  plane.on(startPath("a"), () => refusal(507, "Not enough memory", "It needs 9000 MB of RAM."));
  plane.on("PATCH /api/models/a", () => json(plane.registry.models[0]));
  const user = await open();
  await user.click(button(`START ${NAMES.a}`));
  await user.click(await screen.findByRole("button", { name: `Try with 16k context: ${NAMES.a}` }));
  await waitFor(() => expect(plane.asked(startPath("a"))).toHaveLength(2));
  expect(plane.asked("PATCH /api/models/a")[0]?.body).toEqual({ settings: { ctx_size: 16_384 } });
});

it("leads from a failure to the log", async () => {
  const last_error = { error: "Server ended by itself", detail: "Exit code 139", at: "2026-01-01T00:00:00Z" };
  plane.change("a", { status: "failed", last_error });
  await open();
  expect(screen.getByRole("link", { name: `Open the log: ${NAMES.a}` }).getAttribute("href")).toBe(
    "#/logs?of=a",
  );
});

it("puts the focus into the port's field, where the port was the trouble", async () => {
  plane.on(startPath("a"), () => refusal(500, "Failed to start server", "Port 8080 already in use by nginx"));
  const user = await open();
  await user.click(button(`START ${NAMES.a}`));
  await user.click(await screen.findByRole("button", { name: `Choose a port: ${NAMES.a}` }));
  expect(document.activeElement).toBe(screen.getByRole("textbox", { name: `Port ${NAMES.a}` }));
});

it("says that a model is held, and releases it", async () => {
  plane.on("POST /api/models/c/release", () => {
    plane.change("c", { held: false });
    return json(plane.registry.models[2]);
  });
  const user = await open();
  await user.click(button(`Release ${NAMES.c}`));
  await screen.findByText(`Released ${NAMES.c}: a request may start it again.`);
  await waitFor(() => expect(screen.queryByRole("button", { name: `Release ${NAMES.c}` })).toBeNull());
});

it("tells how far a model has loaded", async () => {
  plane.change("a", { status: "starting" });
  plane.servers = [aServer({ model_id: "a", status: "starting", progress: 0.25, eta_seconds: 120 })];
  await open();
  const bar = screen.getByRole("progressbar", { name: `Loading ${NAMES.a}` });
  expect(bar.getAttribute("aria-valuenow")).toBe("25");
  expect(bar.getAttribute("aria-valuetext")).toBe("25 %, 2 min left");
});

it("shows the speed that was measured", async () => {
  plane.on("GET /api/activity/summary?minutes=1440", () =>
    json({ bucket_seconds: 900, buckets: [], models: [{ model_id: "b", output_per_second: 34.52 }] }),
  );
  await open();
  await screen.findByText("34.5 t/s");
});

it("keeps a row where it is while it is pointed at", async () => {
  plane.on(startPath("a"), () => {
    plane.change("a", { status: "running" });
    return json({ status: "starting" }, 202);
  });
  const user = await open("#/?sort=-status");
  expect(rows()).toEqual([NAMES.a, NAMES.d, NAMES.c, NAMES.b]);
  await user.click(button(`START ${NAMES.a}`));
  await waitFor(() => expect(screen.getAllByText("running")).toHaveLength(2));
  expect(rows()).toEqual([NAMES.a, NAMES.d, NAMES.c, NAMES.b]);
  await user.click(screen.getByRole("searchbox", { name: "Search models" }));
  await waitFor(() => expect(rows()).toEqual([NAMES.d, NAMES.c, NAMES.a, NAMES.b]));
});

it("is walked with the keyboard alone", async () => {
  plane.on(startPath("d"), () => json({ status: "starting" }, 202));
  const user = await open();
  const here = () => document.activeElement?.textContent;
  await user.keyboard("j");
  expect(here()).toBe(NAMES.a);
  await user.keyboard("{ArrowDown}j");
  expect(here()).toBe(NAMES.d);
  await user.keyboard("s");
  await waitFor(() => expect(plane.asked(startPath("d"))).toHaveLength(1));
  await user.keyboard("k");
  expect(here()).toBe(NAMES.b);
  await user.keyboard(" ");
  await user.keyboard("{End}");
  expect(here()).toBe(NAMES.c);
  await user.keyboard("{Shift>} {/Shift}");
  screen.getByText("3 selected");
  await user.keyboard("A");
  screen.getByText("4 selected");
  await user.keyboard("{Escape}");
  expect(screen.queryByText(/ selected$/)).toBeNull();
  await user.keyboard("{Home}{Enter}");
  await screen.findByRole("dialog", { name: NAMES.a });
  await user.keyboard("{Escape}");
  await waitFor(() => expect(here()).toBe(NAMES.a));
  await user.keyboard("/gam");
  await waitFor(() => expect(rows()).toEqual([NAMES.c]));
  await user.keyboard("{Escape}");
  await waitFor(() => expect(rows()).toHaveLength(4));
});

it("says what is missing where a key needs a row", async () => {
  const user = await open();
  await user.keyboard("s");
  await screen.findByText("Go to a row first, with j or k.");
});

it("leaves out a model that is gone", async () => {
  await open();
  plane.registry = { ...plane.registry, models: plane.registry.models.slice(1) };
  await look();
  await waitFor(() => expect(rows()).toEqual([NAMES.b, NAMES.d, NAMES.c]));
});
