import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import { FakeControlPlane, json } from "../../testing/control-plane";
import { aSystem } from "../../testing/wire";
import { reportOf } from "./facts";
import SystemPage from "./page";

const FOUND = { name: null, path: "/usr/bin/llama-server", version: "b9000", problem: null };
const BROKEN = { name: "fork", path: "/opt/fork", version: null, problem: "It does not answer --version" };
const FOLDER = { path: "/models", source: "added", can_remove: true, problem: null, models: 3 };

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function open() {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <SystemPage />
    </QueryClientProvider>,
  );
}

it("shows engines with what is wrong with them, devices and folders", async () => {
  const plane = new FakeControlPlane([]);
  plane.on("GET /api/folders", () => json({ folders: [FOLDER] }));
  plane.on("GET /api/engines", () => json({ engines: [FOUND, BROKEN] }));
  open();
  await screen.findByText("b9000");
  await screen.findByText("It does not answer --version");
  for (const path of ["/data/logs", "/models"]) screen.getByText(path);
  screen.getByRole("row", { name: "RAM 32 GB 28.8 GB 0 MB 20 GB" });
});

it("adds and removes a folder with models", async () => {
  const plane = new FakeControlPlane([]);
  plane.on("GET /api/folders", () => json({ folders: [FOLDER] }));
  plane.on("DELETE /api/folders?path=%2Fmodels", () => json({ folders: [] }));
  plane.on("POST /api/folders", () => json({ folders: [{ ...FOLDER, path: "/more" }] }, 201));
  open();
  const user = userEvent.setup();
  const part = within(await screen.findByRole("region", { name: "Folders with models" }));
  await part.findByText("3 models");
  await user.click(part.getByRole("button", { name: "Remove /models" }));
  await part.findByText(/^Nowhere/);
  await user.type(part.getByRole("textbox", { name: "Folder with models" }), "/more{Enter}");
  await part.findByText("/more");
  expect(plane.asked("POST /api/folders")[0]?.body).toEqual({ path: "/more" });
});

it("says so where the control plane does not answer", async () => {
  new FakeControlPlane([]).down = true;
  open();
  await screen.findByText("The control plane does not answer.");
});

it("reports every fact on a line of its own", () => {
  const lines = reportOf(aSystem(), [FOUND, BROKEN]).split("\n");
  expect(lines).toContain("Engine default: b9000, /usr/bin/llama-server");
  expect(lines).toContain("Engine fork: It does not answer --version");
  expect(lines).toContain("RAM: ram, 32000 MB, 20000 MB free");
  expect(lines).toContain("Registry: /data/model_registry.json");
});
