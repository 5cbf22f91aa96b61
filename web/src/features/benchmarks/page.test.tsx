import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { forgetKey, keepKey } from "../../lib/key";
import { isLive, useLive } from "../../lib/live";
import { toasts } from "../../lib/toasts";
import { FakeControlPlane, json, refusal } from "../../testing/control-plane";
import { aModel, aServer } from "../../testing/wire";
import BenchmarksPage from "./page";
import { listActions } from "./palette";
import { aBenchmark, aBrief, aResult, aSpread, NO_FIGURES, PHI, SETS } from "./testing";
import type { Benchmark, Brief } from "./wire";

const QWEN = "Qwen 7B (Q4_K_M)";
const LIST = "GET /api/benchmarks?limit=50";
const RUNNING: Partial<Brief> = {
  status: "running",
  now: { stage: "measuring", model: "qwen_7b_fast", prompt: "capital", repetition: 2 },
  done_requests: 2,
  progress: 0.333,
  eta_seconds: 65,
  ended_at: null,
};

let plane: FakeControlPlane;
let runs: Brief[];

// What is loaded on demand is there before any test waits for it.
beforeAll(() => import("../../components/markdown").then(() => undefined), 30_000);

beforeEach(() => {
  runs = [];
  plane = new FakeControlPlane([
    aModel({ enabled: true, status: "running" }),
    aModel({ model_id: PHI.model, display_name: PHI.display_name, enabled: true }),
  ]);
  plane.servers = [aServer()];
  plane.isLive = true;
  plane.on(LIST, () => json({ benchmarks: runs, next: null }));
  plane.on("GET /api/benchmarks/prompts", () => json({ sets: SETS, default: "chat" }));
  plane.on("GET /api/upstreams", () => json({ upstreams: [] }));
  plane.on("GET /api/activity/summary?minutes=10080", () =>
    json({ bucket_seconds: 60, buckets: [], models: [] }),
  );
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
  return <BenchmarksPage />;
}

function open(hash = "#/benchmarks") {
  location.hash = hash;
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <Live />
    </QueryClientProvider>,
  );
  return { user: userEvent.setup(), client };
}

/** The control plane knows this run. */
function keep(run: Benchmark): void {
  runs = [run, ...runs.filter(({ id }) => id !== run.id)];
  plane.on(`GET /api/benchmarks/${run.id}`, () => json(run));
}

const table = async (name: string) => within(await screen.findByRole("table", { name }));

it("says what a run tells where there is none, and starts a sensible first one", async () => {
  const begun = aBrief({ id: 1, ...RUNNING });
  plane.on("POST /api/benchmarks", () => json(begun, 202));
  plane.on("GET /api/benchmarks/1", () => json(aBenchmark({ id: 1, ...RUNNING })));
  const { user } = open();
  await screen.findByText(/^12 measured requests: 2 models, 2 prompts/);
  screen.getByText(/^Starts 1 model \(Phi 4B/);
  await user.click(screen.getByRole("button", { name: "START A FIRST RUN" }));
  await waitFor(() => expect(location.hash).toBe("#/benchmarks?run=1"));
  expect(plane.asked("POST /api/benchmarks")[0]?.body).toMatchObject({
    models: ["qwen_7b_fast", "phi_4b_fast"],
    prompt_set: "chat",
    manner: "together",
  });
  await screen.findByText(`${QWEN}: capital, 2 of 3`);
});

it("sends nobody to a run where no model can be asked", async () => {
  plane.registry = { ...plane.registry, models: [aModel()] };
  open();
  await screen.findByRole("link", { name: "Enable or start one on Models" });
  expect(screen.queryByRole("button", { name: "START A FIRST RUN" })).toBeNull();
});

it("begins what is chosen, and says before what it will stop", async () => {
  plane.on("POST /api/benchmarks", () => refusal(422, "Bad value", "judge: it does not chat"));
  const { user } = open("#/benchmarks?new=1");
  await user.click(await screen.findByRole("button", { name: "NONE" }));
  screen.getByText("Choose a model.");
  expect(screen.getByRole("button", { name: "START" }).getAttribute("aria-disabled")).toBe("true");
  await user.type(screen.getByRole("searchbox", { name: "Search models" }), "phi");
  expect(screen.queryByRole("checkbox", { name: QWEN })).toBeNull();
  await user.click(screen.getByRole("checkbox", { name: PHI.display_name }));
  await user.clear(screen.getByRole("searchbox", { name: "Search models" }));
  await user.click(screen.getByRole("checkbox", { name: QWEN }));
  await user.click(screen.getByRole("radio", { name: "In isolation" }));
  screen.getByText(/^Stops 1 running model \(Qwen 7B \(Q4_K_M\)\)/);
  await user.click(screen.getByRole("checkbox", { name: "Code" }));
  await user.click(screen.getByRole("button", { name: "WRITE A PROMPT" }));
  await user.type(screen.getByRole("textbox", { name: "Your prompt 1" }), "Why?");
  await user.selectOptions(screen.getByRole("combobox", { name: "Judge" }), "qwen_7b_fast");
  screen.getByText(/It judges its own answers too/);
  await user.click(screen.getByRole("button", { name: "START" }));
  await screen.findByText("judge: it does not chat");
  const { body } = plane.asked("POST /api/benchmarks")[0] ?? {};
  expect(body).toMatchObject({
    models: ["phi_4b_fast", "qwen_7b_fast"],
    manner: "isolated",
    prompt_set: "chat",
  });
  expect((body as { prompts: { text: string }[] }).prompts.map(({ text }) => text)).toEqual([
    "Sort a list.",
    "Why?",
  ]);
  expect(screen.getByRole("button", { name: "START" }).getAttribute("aria-disabled")).toBe("false");
});

it("follows a run as it is told, ends it, and tells what becomes of the fleet", async () => {
  keep(aBenchmark({ ...RUNNING, manner: "isolated" }));
  plane.on("POST /api/benchmarks/3/cancel", () => json(runs[0]));
  const { user } = open();
  const progress = within(await screen.findByRole("region", { name: "Progress of Benchmark 3" }));
  progress.getByText("2 of 6, about 1 min left");
  await waitFor(() => expect(plane.heardBy).toBe(1));
  const next = { stage: "measuring", model: PHI.model, prompt: "capital", repetition: 3 } as const;
  plane.tell({
    event: "benchmark",
    data: aBrief({ ...RUNNING, now: next, done_requests: 4, failed_requests: 1 }),
  });
  await progress.findByText("Phi 4B (Q8_0): capital, 3 of 3");
  progress.getByText("4 of 6, 1 failed, about 1 min left");
  await user.click(progress.getByRole("button", { name: "Cancel Benchmark 3" }));
  expect(plane.asked("POST /api/benchmarks/3/cancel")).toHaveLength(1);
  const restoring = { stage: "restoring", model: null, prompt: null, repetition: null } as const;
  plane.tell({ event: "benchmark", data: aBrief({ ...RUNNING, now: restoring }) });
  await progress.findByText("Putting the fleet back as it was");
  plane.tell({ event: "benchmark", data: aBrief({ status: "cancelled" }) });
  await waitFor(() => expect(screen.queryByRole("region", { name: "Progress of Benchmark 3" })).toBeNull());
  (await table("Benchmarks")).getByText("cancelled");
});

it("puts a run that somebody else began on top", async () => {
  keep(aBenchmark());
  open();
  await table("Benchmarks");
  await waitFor(() => expect(plane.heardBy).toBe(1));
  plane.tell({ event: "benchmark", data: aBrief({ id: 4, title: "Another's", status: "queued" }) });
  const rows = (await table("Benchmarks")).getAllByRole("row");
  await waitFor(() => expect(screen.getAllByText("Another's")).toHaveLength(2));
  expect(rows.length).toBeGreaterThan(1);
  screen.getByText("Waits for the runs before it");
});

it("shows figures with their spread, sorted as wanted, and the answers side by side", async () => {
  keep(aBenchmark());
  const { user } = open("#/benchmarks?run=3");
  const figures = await table("Models, over all prompts");
  const names = () => figures.getAllByRole("rowheader").map(({ textContent }) => textContent?.slice(0, 4));
  expect(names()).toEqual(["Qwen", "Phi "]);
  await user.click(figures.getByRole("button", { name: "Generation" }));
  expect(names()).toEqual(["Phi ", "Qwen"]);
  expect(figures.getByRole("columnheader", { name: "Generation" }).getAttribute("aria-sort")).toBe(
    "descending",
  );
  expect(figures.getByRole("cell", { name: /^80\.0 t\/s best , 72\.0 t\/s to 88\.0 t\/s/ })).toBeTruthy();
  screen.getByText(/This machine does not tell its energy/);
  screen.getByText(/Nobody has judged the answers/);
  expect(screen.getByRole("link", { name: "CSV" }).getAttribute("href")).toBe(
    "/api/benchmarks/3/export?format=csv",
  );
  const answer = within(screen.getByRole("region", { name: `Answer of ${QWEN}` }));
  await waitFor(() => expect(answer.getByText("Paris").tagName).toBe("STRONG"));
  screen.getByRole("img", { name: /Peak memory against Generation/ });
  await user.selectOptions(screen.getByRole("combobox", { name: "Up" }), "total_seconds");
  screen.getByRole("img", { name: /Total against Generation/ });
});

it("names a failed member's reason, and what interrupted a run", async () => {
  const at = "2026-01-01T00:00:00Z";
  const left = {
    ...PHI,
    figures: NO_FIGURES,
    requests: 0,
    error: { error: "Not enough memory", detail: "9 GB", at },
  };
  const error = { error: "Interrupted", detail: "The control plane ended before it did.", at };
  const samples = aBenchmark().samples.map((sample) =>
    sample.model === PHI.model
      ? { ...sample, error: { error: "It broke off", detail: "killed", at } }
      : sample,
  );
  const results = aBenchmark().results.map(({ prompt, answers }) => ({
    prompt,
    answers: answers.map((answer) =>
      answer.model === PHI.model ? { ...answer, text: null, figures: NO_FIGURES, failed: 3 } : answer,
    ),
  }));
  keep(aBenchmark({ status: "interrupted", error, by_model: [aResult(), aResult(left)], samples, results }));
  open("#/benchmarks?run=3");
  await screen.findByText("Left out: Not enough memory. 9 GB");
  screen.getByText("The control plane ended before it did.");
  screen.getByText(/Where its servers went on without the control plane/);
  screen.getByText("It broke off. killed");
  screen.getByText("3 of 3 failed");
  screen.getByText("1 model left out");
});

it("shows a judge's word with its bias", async () => {
  const standing = { wins: 0, ties: 1, losses: 0, unclear: 0, score: 0.5 };
  const verdict = {
    prompt: 0,
    one: "qwen_7b_fast",
    other: PHI.model,
    forward: "first",
    backward: "first",
    outcome: "biased",
    reasons: ["I like the first.", "Again the first."],
  } as const;
  keep(
    aBenchmark({
      by_model: [aResult({ standing }), aResult({ ...PHI, standing })],
      judgement: {
        judge: "qwen_7b_fast",
        comparisons: [{ ...verdict, reasons: [...verdict.reasons] }],
        first_place_share: 1,
      },
    }),
  );
  open("#/benchmarks?run=3");
  await screen.findByText(`Judged by ${QWEN}`);
  screen.getByText(/100 % went to the answer that was shown first; 50 % shows no bias/);
  const verdicts = await table("Verdicts on this prompt");
  verdicts.getByText("biased: the first place both times, so a tie");
  verdicts.getByText("Again the first.");
  screen.getByRole("img", { name: /Judged against Generation/ });
});

it("runs again with the same choice", async () => {
  keep(aBenchmark({ repetitions: 7, manner: "isolated" }));
  const { user } = open("#/benchmarks?run=3");
  await user.click(await screen.findByRole("button", { name: "RUN AGAIN" }));
  expect(location.hash).toBe("#/benchmarks?new=1&from=3");
  const repetitions = await screen.findByRole("spinbutton", { name: "Repetitions" });
  expect((repetitions as HTMLInputElement).value).toBe("7");
  expect((screen.getByRole("radio", { name: "In isolation" }) as HTMLInputElement).checked).toBe(true);
  expect((screen.getByRole("textbox", { name: "Your prompt 1" }) as HTMLTextAreaElement).value).toContain(
    "France",
  );
});

it("compares two that are ticked, the older one first", async () => {
  keep(aBenchmark());
  keep(aBenchmark({ id: 5, title: "After" }));
  const ratio = { a: aSpread(10), b: aSpread(20), ratio: 2, low: 1.6, high: 2.4, is_clear: true };
  const ratios = {
    first_token_seconds: null,
    prompt_per_second: { ...ratio, is_clear: false },
    output_per_second: ratio,
    total_seconds: ratio,
  };
  plane.on("GET /api/benchmarks/compare?a=3&b=5", () =>
    json({
      a: aBrief(),
      b: aBrief({ id: 5, title: "After" }),
      compared: [{ model: "qwen_7b_fast", prompt: null, ratios }],
      models_only_in_a: [PHI.model],
      models_only_in_b: [],
      prompts_only_in_a: [],
      prompts_only_in_b: ["tea"],
      differences: ["temperature: 0.0 and 0.5"],
    }),
  );
  const { user } = open();
  await user.click(await screen.findByRole("checkbox", { name: "Compare After" }));
  expect(screen.getByRole("button", { name: "COMPARE" }).getAttribute("aria-disabled")).toBe("true");
  await user.click(screen.getByRole("checkbox", { name: "Compare Benchmark 3" }));
  await user.click(screen.getByRole("button", { name: "COMPARE" }));
  expect(location.hash).toBe("#/benchmarks?a=3&b=5");
  const compared = await table("B divided by A");
  const cells = compared.getAllByRole("cell").map(({ textContent }) => textContent);
  expect(cells).toEqual([
    "–",
    "2.00× may be chance1.60× to 2.40×",
    "2.00× faster1.60× to 2.40×",
    "2.00× slower1.60× to 2.40×",
  ]);
  screen.getByText("Only in A: Phi 4B (Q8_0).");
  screen.getByText("Not the same in A and B: temperature: 0.0 and 0.5.");
});

it("deletes after a question, and copies as Markdown", async () => {
  keep(aBenchmark());
  plane.on("DELETE /api/benchmarks/3", () => json({ message: "Benchmark deleted", id: 3 }));
  plane.on("GET /api/benchmarks/3/export?format=markdown", () => new Response("# Benchmark 3"));
  const { user } = open("#/benchmarks?run=3");
  await user.click(await screen.findByRole("button", { name: "COPY AS MARKDOWN" }));
  await waitFor(async () => expect(await navigator.clipboard.readText()).toBe("# Benchmark 3"));
  await user.click(screen.getByRole("button", { name: "Delete Benchmark 3" }));
  screen.getByText(/6 measured requests and all answers are thrown away/);
  runs = [];
  await user.click(screen.getByRole("button", { name: "DELETE" }));
  await waitFor(() => expect(location.hash).toBe("#/benchmarks"));
  await screen.findByText(/^12 measured requests/);
});

it("sends the key with an export, which a link cannot", async () => {
  keepKey("secret", false);
  keep(aBenchmark());
  plane.on("GET /api/benchmarks/3/export?format=csv", () => new Response("model,prompt"));
  const saved: string[] = [];
  const click = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
    this: HTMLAnchorElement,
  ) {
    saved.push(this.download);
  });
  const { user } = open("#/benchmarks?run=3");
  await user.click(await screen.findByRole("link", { name: "CSV" }));
  await waitFor(() => expect(saved).toEqual(["benchmark-3.csv"]));
  expect(plane.asked("GET /api/benchmarks/3/export?format=csv")[0]?.key).toBe("secret");
  click.mockRestore();
  forgetKey();
});

it("says why nothing is known", async () => {
  plane.on("GET /api/benchmarks/99", () => refusal(404, "Benchmark not found: 99", "None has this id."));
  open("#/benchmarks?run=99");
  await screen.findByText("Benchmark not found: 99: None has this id.");
});

it("offers every run and an end to those that are active in the palette", async () => {
  keep(aBenchmark(RUNNING));
  const { client } = open();
  await table("Benchmarks");
  const labels = listActions(client).map(({ label }) => label);
  expect(labels).toEqual(["New benchmark", "Cancel Benchmark 3", "Open Benchmark 3"]);
});
