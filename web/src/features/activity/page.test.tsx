import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { isLive, useLive } from "../../lib/live";
import { toasts } from "../../lib/toasts";
import { FakeControlPlane, json, refusal } from "../../testing/control-plane";
import { aModel } from "../../testing/wire";
import ActivityPage from "./page";
import { aLive, anEnded } from "./testing";

const QWEN = "Qwen 7B (Q4_K_M)";
const PAST = "GET /api/activity?limit=100";

let plane: FakeControlPlane;

beforeEach(() => {
  plane = new FakeControlPlane([aModel()]);
  plane.isLive = true;
  plane.on("GET /api/activity/live", () => json({ calls: [] }));
  plane.on("GET /api/queue", () => json({ waiting: 0, lines: [] }));
  plane.on("GET /api/activity/summary?minutes=60", () =>
    json({ bucket_seconds: 60, buckets: [], models: [] }),
  );
  plane.on(PAST, () => json({ calls: [anEnded()], next: 1 }));
});

afterEach(() => {
  cleanup();
  toasts.set([]);
  isLive.set(false);
  location.hash = "";
  vi.unstubAllGlobals();
});

function Live() {
  useLive();
  return <ActivityPage />;
}

function open() {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <Live />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

it("shows what is in flight and who waits as it is told, and ends a request", async () => {
  plane.on("DELETE /api/activity/2", () => json({ message: "Cancelled", id: 2 }));
  const user = open();
  await screen.findByText("No request is in flight.");
  await waitFor(() => expect(plane.heardBy).toBe(1));
  plane.tell({ event: "activity", data: { live: [aLive()], in_flight: 1, ended: [], ended_count: 0 } });
  const line = {
    model_id: "qwen_7b_fast",
    waiting: 3,
    in_flight: 1,
    limit: 1,
    oldest_seconds: 2.5,
    is_held_back: false,
  };
  plane.tell({ event: "queue", data: { waiting: 3, lines: [line] } });
  const row = within(await screen.findByRole("table", { name: "Requests in flight" }));
  row.getByText("answering");
  expect(within(await screen.findByRole("table", { name: "Queue" })).getByText("1 of 1")).toBeTruthy();
  await user.click(row.getByRole("button", { name: `Cancel request 2 for ${QWEN}` }));
  await waitFor(() => expect(plane.asked("DELETE /api/activity/2")).toHaveLength(1));
  await waitFor(() => expect(toasts.get()[0]?.text).toBe(`The request for ${QWEN} was cancelled.`));
});

it("puts what has just ended on top, and fetches older ones when asked", async () => {
  plane.on(`${PAST}&before=1`, () => json({ calls: [anEnded({ id: 0, total_seconds: 7 })], next: null }));
  const user = open();
  const table = within(await screen.findByRole("table", { name: "Requests that have ended" }));
  await user.click(screen.getByRole("button", { name: "SHOW OLDER" }));
  await table.findByText("7.0 s");
  expect(screen.queryByRole("button", { name: "SHOW OLDER" })).toBeNull();
  await waitFor(() => expect(plane.heardBy).toBe(1));
  const lost = anEnded({ id: 5, outcome: "server_lost", error: "It broke off" });
  plane.tell({ event: "activity", data: { live: [], in_flight: 0, ended: [lost], ended_count: 1 } });
  await table.findByText("It broke off");
  expect(table.getAllByRole("row")[1]?.textContent).toContain("server lost");
});

it("asks for the wanted requests alone, and keeps the choice in the address", async () => {
  plane.on(`${PAST}&outcome=refused`, () => json({ calls: [], next: null }));
  const user = open();
  await user.selectOptions(await screen.findByRole("combobox", { name: "Outcome" }), "refused");
  await screen.findByText("No request is so.");
  expect(location.hash).toBe("#/activity?outcome=refused");
});

it("says why nothing is known", async () => {
  plane.on(PAST, () => refusal(500, "The records cannot be read", "Disk full"));
  open();
  await screen.findByText("The records cannot be read: Disk full");
});
