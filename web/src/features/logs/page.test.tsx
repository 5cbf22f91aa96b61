import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import { FakeControlPlane, refusal } from "../../testing/control-plane";
import { aModel, aServer } from "../../testing/wire";
import LogsPage from "./page";

const OWN = "GET /api/logs?level=debug&search=&tail=2000&ansi=true";
const QWEN = "GET /api/models/servers/qwen_7b_fast/logs?level=debug&search=&tail=2000&ansi=true&replica=1";

afterEach(() => {
  cleanup();
  location.hash = "";
  vi.unstubAllGlobals();
});

/** A log that goes on for as long as it is wanted. */
class Followed {
  private to: ReadableStreamDefaultController<Uint8Array> | undefined;

  answer(first: string[], whose: object = {}): Response {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.to = controller;
      },
    });
    this.tell(first, whose);
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  tell(lines: string[], whose: object = {}): void {
    this.to?.enqueue(
      new TextEncoder().encode(`event: log\ndata: ${JSON.stringify({ ...whose, lines })}\n\n`),
    );
  }
}

function open(plane: FakeControlPlane) {
  plane.servers = [aServer()];
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <LogsPage />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

it("follows all that run as one, each line with whose it is", async () => {
  const plane = new FakeControlPlane([aModel()]);
  const all = new Followed();
  location.hash = "#/logs?of=*";
  plane.on("GET /api/logs/live?level=debug&search=&tail=200&ansi=true", () =>
    all.answer(["own line"], { model_id: null, replica: 1 }),
  );
  open(plane);
  await screen.findByText("own line");
  all.tell(["0.00.010.387 W loaded"], { model_id: "qwen_7b_fast", replica: 2 });
  const line = (await screen.findByText("0.00.010.387 W loaded")).parentElement;
  expect(line?.textContent).toBe("qwen_7b_fast, replica 2 0.00.010.387 W loaded\n");
  expect(line?.dataset.level).toBe("warning");
});

it("follows the chosen log, and holds back what comes during a pause", async () => {
  const plane = new FakeControlPlane([aModel()]);
  const qwen = new Followed();
  plane.on(OWN, () => new Followed().answer(["own line"]));
  plane.on(QWEN, () => qwen.answer(["\x1b[32mloaded\x1b[0m"]));
  const user = open(plane);
  await screen.findByText("own line");
  await screen.findByRole("option", { name: "Qwen 7B (Q4_K_M)" });
  await user.selectOptions(screen.getByRole("combobox", { name: "Log of" }), "Qwen 7B (Q4_K_M)");
  await screen.findByText("loaded");
  expect(screen.queryByText("own line")).toBeNull();
  expect(location.hash).toBe("#/logs?of=qwen_7b_fast");
  await user.click(screen.getByRole("button", { name: "PAUSE" }));
  qwen.tell(["while paused"]);
  await screen.findByText(/1 new line held back/);
  expect(screen.queryByText("while paused")).toBeNull();
  await user.click(screen.getByRole("button", { name: "RESUME" }));
  await screen.findByText("while paused");
});

it("searches in the control plane, and marks what was found", async () => {
  const plane = new FakeControlPlane([]);
  plane.on(OWN, () => new Followed().answer(["a needle", "hay"]));
  plane.on(OWN.replace("search=", "search=needle"), () => new Followed().answer(["a needle"]));
  const user = open(plane);
  await screen.findByText("hay");
  await user.type(screen.getByRole("searchbox", { name: "Search the log" }), "needle");
  await waitFor(() => expect(document.querySelector("mark")?.textContent).toBe("needle"));
  await waitFor(() => expect(screen.queryByText("hay")).toBeNull());
});

it("says why there is no log", async () => {
  const plane = new FakeControlPlane([]);
  plane.on(OWN, () => refusal(404, "Nothing is written", "No folder."));
  open(plane);
  await screen.findByText(/Nothing is written: No folder\./);
});
