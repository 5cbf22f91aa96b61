import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "../../../components/toasts";
import { pathIn } from "../../../lib/folders";
import { toasts } from "../../../lib/toasts";
import { FakeControlPlane, json, refusal } from "../../../testing/control-plane";
import { aModel, aRegistry, aSystem } from "../../../testing/wire";
import { EngineBanner } from "../engine-banner";
import { FetchButton } from "../fetch";
import { aDownload, anOffer } from "../testing";
import FirstRun from "./first-run";

const LOOK = "GET /api/downloads/search?repo=org%2FTiny-GGUF";
const REPOSITORY = {
  repo: "org/Tiny-GGUF",
  revision: "0123",
  url: "https://huggingface.co/org/Tiny-GGUF",
  gated: false,
  offers: [
    anOffer(),
    anOffer({ file: "Tiny-F32.gguf", quantization: "F32", fits: false, is_recommended: false }),
  ],
  disk_free_mb: 50_000,
};
const KNOWN = { path: "/models", source: "settings", can_remove: false, problem: null, models: 0 };

let plane: FakeControlPlane;
let downloads: ReturnType<typeof aDownload>[];

beforeEach(() => {
  plane = new FakeControlPlane([]);
  downloads = [];
  plane.on("GET /api/downloads", () => json({ downloads, folder: "/data/models", disk_free_mb: 50_000 }));
  plane.on("GET /api/folders", () =>
    json({ folders: [KNOWN, { ...KNOWN, path: "/secret", problem: "It may not be read." }] }),
  );
  plane.on(LOOK, () => json(REPOSITORY));
});

afterEach(() => {
  cleanup();
  toasts.set([]);
  location.hash = "";
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

const firstRun = () =>
  show(<FirstRun registry={aRegistry([], { skipped: [{ path: "/models/x.gguf", reason: "cut short" }] })} />);

it("says where it looked, what was there, and why nothing could be found", async () => {
  firstRun();
  const looked = await screen.findByRole("region", { name: "Where it looked" });
  await within(looked).findByText("/models");
  within(looked).getByText("0 models");
  within(looked).getByText("It may not be read.");
  within(looked).getByText("cut short");
});

it("fetches a model by its name, and shows size, fit and progress", async () => {
  plane.on("POST /api/downloads", () => {
    downloads = [aDownload()];
    return json(downloads[0], 202);
  });
  plane.on("DELETE /api/downloads/d1?keep=true", () => {
    downloads = [aDownload({ status: "paused" })];
    return json(downloads[0]);
  });
  plane.on("POST /api/downloads/d1/resume", () => {
    downloads = [aDownload({ status: "downloading", progress: 0.75 })];
    return json(downloads[0], 202);
  });
  plane.on("DELETE /api/downloads/d1", () => {
    const [gone] = downloads;
    downloads = [];
    return json({ ...gone, status: "cancelled" });
  });
  const user = firstRun();
  await user.type(
    screen.getByRole("textbox", { name: "Repository on Hugging Face" }),
    " org/Tiny-GGUF {Enter}",
  );
  await screen.findByText(/too large for this machine's memory/);
  screen.getByText("recommended");
  await user.click(screen.getByRole("button", { name: "FETCH Q4_K_M of org/Tiny-GGUF" }));
  expect(plane.asked("POST /api/downloads")[0]?.body).toEqual({
    repo: "org/Tiny-GGUF",
    file: "Tiny-Q4_K_M.gguf",
  });
  await screen.findByText("25 %, 100 MB of 400 MB, 20 MB/s, 15 s left");
  await user.click(screen.getByRole("button", { name: "PAUSE org/Tiny-GGUF Q4_K_M" }));
  await screen.findByText("paused at 25 %, 100 MB of 400 MB");
  await user.click(screen.getByRole("button", { name: "RESUME org/Tiny-GGUF Q4_K_M" }));
  expect((await screen.findByRole("progressbar")).getAttribute("value")).toBe("0.75");
  await user.click(screen.getByRole("button", { name: "Cancel org/Tiny-GGUF Q4_K_M" }));
  await waitFor(() => expect(screen.queryByRole("progressbar")).toBeNull());
  await screen.findByText("Cancelled org/Tiny-GGUF Q4_K_M: 100 MB thrown away.");
});

it("begins with a repository that was suggested", async () => {
  const user = firstRun();
  await user.click(await screen.findByRole("button", { name: "Qwen/Qwen2.5-0.5B-Instruct-GGUF" }));
  await waitFor(() =>
    expect(plane.asked("GET /api/downloads/search?repo=Qwen%2FQwen2.5-0.5B-Instruct-GGUF")).toHaveLength(1),
  );
});

it("says why a repository cannot be had", async () => {
  plane.on(LOOK, () => refusal(404, "Repository not found: org/Tiny-GGUF", "Check the spelling."));
  const user = firstRun();
  await user.type(
    screen.getByRole("textbox", { name: "Repository on Hugging Face" }),
    "org/Tiny-GGUF{Enter}",
  );
  await screen.findByText("Check the spelling.");
});

it("adds a folder that was dropped as an address, and takes it back", async () => {
  const added = { ...KNOWN, path: "/home/me/my models", source: "added", can_remove: true, models: 3 };
  plane.on("POST /api/folders", () => json({ folders: [KNOWN, added] }, 201));
  plane.on("DELETE /api/folders?path=%2Fhome%2Fme%2Fmy%20models", () => json({ folders: [KNOWN] }));
  const user = firstRun();
  const field = screen.getByRole("textbox", { name: "Folder with models" });
  const dataTransfer = {
    getData: (type: string) => (type === "text/uri-list" ? "file:///home/me/my%20models\r\n" : ""),
    files: [],
  };
  fireEvent.drop(field, { dataTransfer });
  expect((field as HTMLInputElement).value).toBe("/home/me/my models");
  await user.click(screen.getByRole("button", { name: "ADD FOLDER" }));
  await screen.findByText("Searching /home/me/my models from now on: 3 models in it.");
  expect(plane.asked("POST /api/folders")[0]?.body).toEqual({ path: "/home/me/my models" });
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await screen.findByText("/home/me/my models is not searched any more. Its files stay.");
});

it("says why a folder is refused, and that a browser hides where a file lies", async () => {
  plane.on("POST /api/folders", () => refusal(422, "Cannot be searched: /x", "It is not there."));
  const user = firstRun();
  const field = screen.getByRole("textbox", { name: "Folder with models" });
  fireEvent.drop(field, { dataTransfer: { getData: () => "", files: [{ name: "model.gguf" }] } });
  await screen.findByText(/does not tell where model\.gguf lies/);
  await user.type(field, "/x{Enter}");
  await screen.findByText("It is not there.");
});

it.each([
  ["/plain/path", "/plain/path"],
  ['  "/with quotes"  ', "/with quotes"],
  ["file:///a%20b/c\r\nfile:///second", "/a b/c"],
  ["# a comment\nfile:///a", "/a"],
  ["file://%zz", "file://%zz"],
  ["", ""],
])("reads %j as the path %j", (text, path) => {
  expect(pathIn(text)).toBe(path);
});

it("says how far downloads are, and starts what has come", async () => {
  downloads = [aDownload()];
  plane.registry = aRegistry([aModel({ model_id: "tiny" })]);
  const user = show(<FetchButton />);
  await user.click(await screen.findByRole("button", { name: "FETCH A MODEL: 1 download, 25 %" }));
  downloads = [aDownload({ status: "done", model_id: "tiny" })];
  plane.on("POST /api/models/servers/tiny/start?wait=false", () => json({ status: "starting" }, 202));
  await user.click(await screen.findByRole("button", { name: "START Qwen 7B (Q4_K_M)" }));
  await waitFor(() => expect(plane.asked("POST /api/models/servers/tiny/start?wait=false")).toHaveLength(1));
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(location.hash).toBe("#/");
});

it("gives the one command for this machine where there is no engine, and looks again", async () => {
  const engine = {
    found: false,
    path: null,
    version: null,
    problem: "Looked in: PATH",
    install: "/venv/bin/python -m pip install 'synapse-engine[engine]'",
  };
  const user = show(<EngineBanner system={aSystem({ engine })} />);
  const banner = screen.getByRole("alert");
  within(banner).getByText("llama-server not found: models cannot start");
  within(banner).getByText("/venv/bin/python -m pip install 'synapse-engine[engine]'");
  within(banner).getByText("Looked in: PATH");
  plane.system = aSystem({ engine });
  await user.click(within(banner).getByRole("button", { name: "LOOK AGAIN" }));
  await screen.findByText("Still none that runs.");
  plane.system = aSystem();
  await user.click(within(banner).getByRole("button", { name: "LOOK AGAIN" }));
  await screen.findByText("llama-server is there: b9000");
});

it("says nothing of an engine that runs, and what is wrong with one that does not", () => {
  show(<EngineBanner system={aSystem()} />);
  expect(screen.queryByRole("alert")).toBeNull();
  cleanup();
  const problem = "/usr/bin/llama-server cannot be run: Exec format error";
  show(<EngineBanner system={aSystem({ engine: { ...aSystem().engine, problem } })} />);
  screen.getByText("llama-server cannot be run: models cannot start");
  screen.getByText(problem);
});
