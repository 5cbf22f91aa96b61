import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "../../../components/toasts";
import { toasts } from "../../../lib/toasts";
import { type Call, FakeControlPlane, json, refusal } from "../../../testing/control-plane";
import { aModel, aServer } from "../../../testing/wire";
import type { Tab } from "../details";
import { notes } from "../notes";
import { anOption, aPlan, detailsOf } from "../testing";
import { discardDrafts } from "./drafts";
import Drawer from "./drawer";

const QWEN = "Qwen 7B (Q4_K_M)";
const PATCH = "PATCH /api/models/qwen_7b_fast";
const OPTIONS = [
  anOption(),
  anOption({ name: "parallel", help: "number of server slots", default: "-1" }),
  anOption({
    name: "flash_attn",
    hint: "[on|off|auto]",
    kind: "choice",
    choices: ["on", "off", "auto"],
    default: "auto",
  }),
  anOption({ name: "mmap", hint: "", help: "whether to memory-map model", kind: "switch", default: "true" }),
];

let plane: FakeControlPlane;
let client: QueryClient;

beforeEach(() => {
  plane = new FakeControlPlane([aModel()]);
  plane.on("GET /api/engines", () => json({ engines: [] }));
  plane.on("GET /api/engines/options", () => json({ options: OPTIONS }));
  plane.on("GET /api/activity/summary?minutes=10&model=qwen_7b_fast", () =>
    json({ bucket_seconds: 5, buckets: [], models: [] }),
  );
  plane.on("GET /api/models/qwen_7b_fast", () => json(detailsOf(aModel())));
  plane.on("POST /api/models/qwen_7b_fast/plan", plan);
  plane.on(PATCH, ({ body }) => {
    const { settings } = body as { settings: Record<string, unknown> };
    const before = plane.registry.models[0]?.settings ?? {};
    const merged = Object.entries({ ...before, ...settings }).filter(([, value]) => value !== null);
    plane.change("qwen_7b_fast", { settings: Object.fromEntries(merged) });
    return json(plane.registry.models[0]);
  });
});

afterEach(() => {
  cleanup();
  discardDrafts("qwen_7b_fast");
  toasts.set([]);
  notes.set({ answers: {}, dismissed: {} });
  location.hash = "";
  vi.unstubAllGlobals();
});

function plan({ body }: Call): Response {
  const { settings } = body as { settings: Record<string, unknown> };
  if (settings.parallel === "many") return refusal(422, "Bad value for parallel", "It takes a number.");
  const saved = plane.registry.models[0]?.settings.ctx_size;
  return json(aPlan({ context_tokens: Number(settings.ctx_size ?? saved ?? 8192) }));
}

function open(tab: Tab) {
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <Drawer modelId="qwen_7b_fast" tab={tab} />
      <Toasts />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

const field = (name: string) => screen.findByLabelText(`${name} of ${QWEN}`);
const press = (name: string) => screen.getByRole("button", { name });

it("says what a setting would cost before it is saved, and what it changes", async () => {
  const user = open("settings");
  await screen.findByText("~4.8 GB");
  await user.type(await field("ctx_size"), "32768");
  await screen.findByText("~5 GB");
  await screen.findByText(/\+246 MB/);
  screen.getByText("One request at a time, with a context of 32k tokens.");
  expect(plane.asked(PATCH)).toHaveLength(0);
  await user.click(press("SAVE"));
  await screen.findByText(`Saved ctx_size of ${QWEN}.`, { selector: ".toast p" });
  expect(plane.asked(PATCH)[0]?.body).toEqual({ settings: { ctx_size: 32768 } });
  await screen.findByText("set");
});

it("takes a saved setting back, from the message or from the drawer's foot", async () => {
  plane.change("qwen_7b_fast", { settings: { ctx_size: 4096 } });
  const user = open("settings");
  const context = (await field("ctx_size")) as HTMLInputElement;
  await waitFor(() => expect(context.value).toBe("4096"));
  await user.click(press("Default of ctx_size"));
  screen.getByText("unsaved");
  await user.click(press("SAVE"));
  await user.click(await screen.findByRole("button", { name: "UNDO" }));
  await waitFor(() => expect(plane.asked(PATCH)).toHaveLength(2));
  expect(plane.asked(PATCH).map(({ body }) => body)).toEqual([
    { settings: { ctx_size: null } },
    { settings: { ctx_size: 4096 } },
  ]);
});

it("knows the way back of an edit whose outcome was told before its answer came", async () => {
  plane.on(PATCH, async () => {
    plane.change("qwen_7b_fast", { settings: { ctx_size: 4096 }, restart_required: true });
    void client.invalidateQueries({ queryKey: ["fleet"] });
    await screen.findByRole("button", { name: "RESTART NOW" });
    return json(plane.registry.models[0]);
  });
  const user = open("settings");
  await user.type(await field("ctx_size"), "4096");
  await user.click(press("SAVE"));
  await user.click(await screen.findByRole("button", { name: "UNDO" }));
  await waitFor(() => expect(plane.asked(PATCH)[1]?.body).toEqual({ settings: { ctx_size: null } }));
});

it("chooses by a price tag, and discards", async () => {
  const user = open("settings");
  await user.click(await screen.findByRole("button", { name: "ctx_size 16384: 16k 4.9 GB" }));
  expect(((await field("ctx_size")) as HTMLInputElement).value).toBe("16384");
  await user.click(press("DISCARD"));
  expect(((await field("ctx_size")) as HTMLInputElement).value).toBe("");
  expect(plane.asked(PATCH)).toHaveLength(0);
});

it("shows at the field what the control plane would refuse, and keeps what was typed", async () => {
  const user = open("settings");
  const parallel = (await field("parallel")) as HTMLInputElement;
  await user.type(parallel, "many");
  const line = parallel.closest("li");
  if (!line) throw new Error("no line");
  await within(line).findByText(/It takes a number\./);
  expect(parallel.getAttribute("aria-invalid")).toBe("true");
  plane.on(PATCH, () => refusal(422, "Unknown setting: mmap", "Not in its --help."));
  await user.click(press("DISCARD"));
  await user.type(screen.getByRole("searchbox", { name: "Search the settings" }), "mmap");
  await user.click(await field("mmap"));
  await user.click(press("SAVE"));
  const mmap = ((await field("mmap")) as HTMLInputElement).closest("li");
  if (!mmap) throw new Error("no line");
  await within(mmap).findByText("Unknown setting: mmap. Not in its --help.");
});

it("has an editor for each kind, and finds every setting by its name or its help", async () => {
  const user = open("settings");
  expect((await field("flash_attn")).tagName).toBe("SELECT");
  expect((await field("pinned")).getAttribute("type")).toBe("checkbox");
  expect(screen.queryByLabelText(`mmap of ${QWEN}`)).toBeNull();
  const search = screen.getByRole("searchbox", { name: "Search the settings" });
  await user.type(search, "memory-map");
  await user.click(await field("mmap"));
  await user.clear(search);
  await user.type(search, "--flash-attn");
  await user.selectOptions(await field("flash_attn"), "on");
  await user.click(press("SAVE"));
  await waitFor(() =>
    expect(plane.asked(PATCH)[0]?.body).toEqual({ settings: { mmap: false, flash_attn: "on" } }),
  );
});

it("restarts a running model so that it takes up what was saved", async () => {
  plane.change("qwen_7b_fast", { status: "running" });
  plane.servers = [aServer()];
  plane.on("POST /api/models/servers/qwen_7b_fast/stop", () =>
    json({ message: "Stopped", status: "stopped" }),
  );
  plane.on("POST /api/models/servers/qwen_7b_fast/start?wait=false", () => json({ status: "starting" }, 202));
  const user = open("settings");
  await user.type(await field("ctx_size"), "4096");
  await user.click(press("SAVE AND RESTART"));
  await waitFor(() =>
    expect(plane.asked("POST /api/models/servers/qwen_7b_fast/start?wait=false")).toHaveLength(1),
  );
  const order = plane.calls
    .filter(({ method }) => method !== "GET")
    .map(({ method, path }) => `${method} ${path}`);
  expect(order.filter((route) => !route.endsWith("/plan"))).toEqual([
    PATCH,
    "POST /api/models/servers/qwen_7b_fast/stop",
    "POST /api/models/servers/qwen_7b_fast/start?wait=false",
  ]);
});

it("says that a running model is behind its settings, and what to do", async () => {
  plane.change("qwen_7b_fast", { status: "running", restart_required: true });
  open("overview");
  await screen.findByRole("button", { name: "RESTART NOW" });
});

it("releases a held model, and says what held means", async () => {
  plane.change("qwen_7b_fast", { held: true });
  plane.on("POST /api/models/qwen_7b_fast/release", () => {
    plane.change("qwen_7b_fast", { held: false });
    return json(plane.registry.models[0]);
  });
  const user = open("overview");
  await screen.findByText(/requests do not start it/);
  await user.click(press("RELEASE"));
  await waitFor(() => expect(screen.queryByText(/requests do not start it/)).toBeNull());
});

it("says of a broken model what is wrong, and offers to fetch it again", async () => {
  plane.change("qwen_7b_fast", { problem: "shard 2 of 3 is missing", repo: "org/repo" });
  const user = open("overview");
  await screen.findByText(/shard 2 of 3 is missing/);
  await user.click(press("FETCH IT AGAIN"));
  expect(location.hash).toBe("#/?fetch=org%2Frepo");
});

it("adds a variant, edits it and removes it", async () => {
  const user = open("names");
  await user.click(await screen.findByRole("button", { name: "ADD A VARIANT" }));
  await user.type(screen.getByLabelText("Name"), "pirate");
  await user.type(screen.getByLabelText("System prompt"), "You are a pirate.");
  await user.type(screen.getByLabelText("temperature"), "0.2");
  await user.click(press("SAVE VARIANT"));
  await user.click(await screen.findByRole("button", { name: "Edit pirate" }));
  await user.type(screen.getByLabelText("top_k"), "5");
  await user.click(press("SAVE VARIANT"));
  await user.click(await screen.findByRole("button", { name: "Remove pirate" }));
  await waitFor(() => expect(plane.asked(PATCH)).toHaveLength(3));
  const pirate = { name: "pirate", system_prompt: "You are a pirate.", chat_template_kwargs: {} };
  expect(plane.asked(PATCH).map(({ body }) => body)).toEqual([
    { settings: { variants: [{ ...pirate, sampling: { temperature: 0.2 } }] } },
    { settings: { variants: [{ ...pirate, sampling: { temperature: 0.2, top_k: 5 } }] } },
    { settings: { variants: null } },
  ]);
});

it("asks a running model something", async () => {
  plane.change("qwen_7b_fast", { status: "running" });
  plane.on("POST /v1/chat/completions", () => json({ choices: [{ message: { content: "Four." } }] }));
  const user = open("use");
  await user.type(await screen.findByRole("textbox", { name: `Question for ${QWEN}` }), "2 + 2?{Enter}");
  await screen.findByText("Four.");
  expect(plane.asked("POST /v1/chat/completions")[0]?.body).toEqual({
    model: "qwen_7b_fast",
    messages: [{ role: "user", content: "2 + 2?" }],
    stream: false,
  });
});

it("writes its code for the name that was chosen", async () => {
  plane.change("qwen_7b_fast", { aliases: ["my-coder"] });
  const user = open("use");
  await user.selectOptions(await screen.findByRole("combobox", { name: "Ask for" }), "my-coder");
  within(screen.getByRole("region", { name: "curl" })).getByText(/"model": "my-coder"/);
});

it("says that there is no such model", async () => {
  plane.registry = { ...plane.registry, models: [] };
  open("overview");
  await screen.findByText("There is no model qwen_7b_fast.");
});
