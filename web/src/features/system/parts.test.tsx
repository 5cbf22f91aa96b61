import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "../../components/toasts";
import { toasts } from "../../lib/toasts";
import { FakeControlPlane, json, refusal } from "../../testing/control-plane";
import { Findings } from "./findings";
import { SettingsPart } from "./settings-part";
import { anUpstream, aSetting } from "./testing";
import { Upstreams } from "./upstreams";
import type { Setting, Upstream } from "./wire";

const EVICT = {
  field: "evict",
  name: "SYNAPSE_EVICT",
  value: true,
  default: true,
  form: { type: "boolean" },
};

let plane: FakeControlPlane;

beforeEach(() => {
  plane = new FakeControlPlane([]);
});

afterEach(() => {
  cleanup();
  toasts.set([]);
  vi.unstubAllGlobals();
});

function show(what: React.ReactNode) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      {what}
      <Toasts />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

function settingsAre(...settings: Setting[]): void {
  plane.on("GET /api/settings", () => json({ settings, saved_in: "/data/settings.json", notices: [] }));
}

function upstreamsAre(...upstreams: Upstream[]): void {
  plane.on("GET /api/upstreams", () => json({ upstreams }));
}

it("says what is missing first, and folds away what is fine", async () => {
  const fine = { subject: "page", verdict: "ok", found: "built", advice: "" };
  const note = { subject: "ports", verdict: "note", found: "4 for 9", advice: "Widen them." };
  const missing = { subject: "engine", verdict: "missing", found: "not found", advice: "Install one." };
  plane.on("GET /api/doctor", () => json({ verdict: "missing", findings: [fine, note, missing] }));
  const user = show(<Findings />);
  await screen.findByText("Install one.");
  const marks = screen.getAllByRole("listitem").map((item) => item.firstElementChild?.textContent);
  expect(marks).toEqual(["Missing", "Look", "Fine"]);
  screen.getByText("1 thing looked at and fine");
  plane.on("GET /api/doctor", () => json({ verdict: "ok", findings: [fine] }));
  await user.click(screen.getByRole("button", { name: "LOOK AGAIN" }));
  await screen.findByText("Nothing is wrong.");
});

it("changes a number when it is left, and takes it back", async () => {
  settingsAre(aSetting());
  const changed = aSetting({ value: 60, saved: 60, source: "saved" });
  plane.on("PATCH /api/settings", () => {
    settingsAre(changed);
    return json({ settings: [changed], saved_in: "/data/settings.json", notices: [] });
  });
  const user = show(<SettingsPart />);
  const field = await screen.findByRole("textbox", { name: "Idle stop, in s" });
  await user.clear(field);
  await user.type(field, "60");
  expect(plane.asked("PATCH /api/settings")).toEqual([]);
  await user.tab();
  await screen.findByText("Idle stop: 60 s.");
  expect(plane.asked("PATCH /api/settings")[0]?.body).toEqual({ idle_stop_seconds: 60 });
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(() => expect(plane.asked("PATCH /api/settings")).toHaveLength(2));
  expect(plane.asked("PATCH /api/settings")[1]?.body).toEqual({ idle_stop_seconds: null });
});

it("switches at once, and says what goes before it and why something is refused", async () => {
  settingsAre(aSetting({ ...EVICT, source: "environment" }));
  plane.on("PATCH /api/settings", () => refusal(507, "Could not save", "The disk is full."));
  const user = show(<SettingsPart />);
  await screen.findByText(/SYNAPSE_EVICT is given by the environment/);
  await user.selectOptions(screen.getByRole("combobox", { name: "Evict" }), "off");
  await screen.findByText("The disk is full.");
  expect(plane.asked("PATCH /api/settings")[0]?.body).toEqual({ evict: false });
});

it("shows what only a start takes, and never edits it", async () => {
  settingsAre(aSetting({ field: "port", name: "SYNAPSE_PORT", value: 8000, can_change: false }));
  show(<SettingsPart />);
  await screen.findByText("SYNAPSE_PORT");
  expect(screen.queryByRole("textbox")).toBeNull();
});

it("adds an upstream, with its key sent once and never shown", async () => {
  upstreamsAre();
  plane.on("PUT /api/upstreams/box", () => {
    upstreamsAre(anUpstream({ has_key: true }));
    return json(anUpstream({ has_key: true }));
  });
  const user = show(<Upstreams />);
  await user.click(await screen.findByRole("button", { name: "ADD AN UPSTREAM" }));
  const form = within(screen.getByRole("form", { name: "New upstream" }));
  await user.type(form.getByLabelText("Name"), "box");
  await user.type(form.getByLabelText("URL"), "http://10.0.0.5:8000/v1");
  await user.type(form.getByLabelText("Key"), "secret{Enter}");
  await screen.findByText("box has 2 models.");
  expect(plane.asked("PUT /api/upstreams/box")[0]?.body).toEqual({
    url: "http://10.0.0.5:8000/v1",
    api_key: "secret",
    key_header: "authorization",
    model: null,
  });
  await screen.findByText("2 models, with a key");
});

it("keeps a key that is not typed anew, and shows a refusal where it was asked", async () => {
  upstreamsAre(anUpstream({ has_key: true }));
  plane.on("PUT /api/upstreams/box", () => refusal(422, "Not a URL: nonsense", "Write it whole."));
  const user = show(<Upstreams />);
  await user.click(await screen.findByRole("button", { name: "Edit box" }));
  await user.click(screen.getByRole("button", { name: "SAVE" }));
  await screen.findByText("Write it whole.");
  expect(plane.asked("PUT /api/upstreams/box")[0]?.body).not.toHaveProperty("api_key");
});

it("removes one without a key and takes that back; one with a key only when asked twice", async () => {
  upstreamsAre(anUpstream());
  plane.on("DELETE /api/upstreams/box", () => json({ message: "Upstream removed: box", name: "box" }));
  plane.on("PUT /api/upstreams/box", () => json(anUpstream()));
  const user = show(<Upstreams />);
  await user.click(await screen.findByRole("button", { name: "Remove box" }));
  await user.click(await screen.findByRole("button", { name: "Undo" }));
  await waitFor(() => expect(plane.asked("PUT /api/upstreams/box")).toHaveLength(1));
  cleanup();
  upstreamsAre(anUpstream({ has_key: true }));
  show(<Upstreams />);
  await user.click(await screen.findByRole("button", { name: "Remove box" }));
  expect(plane.asked("DELETE /api/upstreams/box")).toHaveLength(1);
  await user.click(screen.getByRole("button", { name: "Remove box and forget its key" }));
  await waitFor(() => expect(plane.asked("DELETE /api/upstreams/box")).toHaveLength(2));
});
