import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import type { QueryAsk } from "../../../lib/api";
import { toasts } from "../../../lib/toasts";
import { FakeControlPlane, json, refusal } from "../../../testing/control-plane";
import { aModel } from "../../../testing/wire";
import { newConversation, settled, withPlan, withQuery } from "../conversation";
import AskPage from "../page";
import { change, draft, shelf } from "../shelf";
import { newPlan } from "./kinds";
import type { Step } from "./record";
import { recordStore } from "./records";
import { begun, done, framed, recordOf, said, text, turn } from "./testing";

/** One query that is followed, and the hand on its steps. */
interface Playing {
  id: number;
  ask: QueryAsk;
  send: (...steps: Step[]) => void;
  end: (...steps: Step[]) => void;
}

let plane: FakeControlPlane;
let playing: Playing[];
let client: QueryClient;
let nextId = 100;

// What is loaded when it is needed takes a while to be read the first time.
beforeAll(async () => {
  await Promise.all([import("./query-turn"), import("./kept-query"), import("../../../components/markdown")]);
}, 30_000);

beforeEach(() => {
  playing = [];
  draft.set(newConversation());
  plane = new FakeControlPlane([
    aModel({ model_id: "smol", display_name: "Smol 135M", status: "running", enabled: true }),
    aModel({ model_id: "large", display_name: "Large 70B", tier: "powerful", enabled: true }),
  ]);
  plane.on("POST /api/query", ({ body }) => {
    const id = newId();
    plane.on(`GET /api/query/${id}/events`, () => stream(id, body as QueryAsk));
    return json({ id }, 202);
  });
});

afterEach(() => {
  cleanup();
  client?.clear();
  localStorage.clear();
  shelf.set([]);
  toasts.set([]);
  location.hash = "";
  vi.unstubAllGlobals();
});

function stream(id: number, ask = {} as QueryAsk): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (...steps: Step[]) =>
        controller.enqueue(new TextEncoder().encode(steps.map(framed).join("")));
      const end = (...steps: Step[]) => {
        send(...steps);
        controller.close();
      };
      playing.push({ id, ask, send, end });
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

function open() {
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <AskPage />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

type User = ReturnType<typeof userEvent.setup>;

async function ask(user: User, mode: string, question = "Why?"): Promise<Playing> {
  await screen.findAllByRole("option", { name: "Smol 135M" });
  await user.click(screen.getByRole("radio", { name: mode }));
  await user.type(await screen.findByRole("textbox", { name: "Question" }), `${question}{Enter}`);
  return played(1);
}

const played = (count: number) =>
  waitFor(() => {
    const found = playing[count - 1];
    if (!found) throw new Error(`only ${playing.length} were asked`);
    return found;
  });

const newId = () => ++nextId;
const phase = (words: string) =>
  waitFor(() => expect(screen.getAllByRole("status").map(({ textContent }) => textContent)).toContain(words));
const part = (name: string | RegExp) => screen.findByRole("region", { name });

const COUNCIL: Step[] = [
  { event: "cast", data: { players: [] } },
  turn(1, { member: "A" }),
  turn(2, { member: "B", model: "large" }),
];
const REVIEWS: Step[] = [
  said(1, "Because of **A**."),
  said(2, "Because of B."),
  { event: "agreement", data: { round: 1, similarity: 0.4, concordance: null, pairs: [] } },
  turn(3, { role: "review", round: 2, hears: [2] }),
  said(3, '{"P": {"score": 7}}'),
  { event: "review", data: { turn: 3, member: "A", scores: [{ member: "B", score: 7, comment: "Good." }] } },
  {
    event: "ranking",
    data: {
      members: [
        { member: "B", score: 7, reviews: 1 },
        { member: "A", score: null, reviews: 0 },
      ],
    },
  },
];
const SYNTHESIS = [
  turn(4, { member: "B", model: "large", role: "synthesis", round: 4, hears: [1, 2], is_answer: true }),
  said(4, "Because of both."),
  { event: "answer", data: { text: "Because of both.", turn: 4, model: "large" } } as Step,
];

it("shows a council as it happens, and keeps its answer in the conversation", async () => {
  const user = open();
  const { id, ask: asked, send, end } = await ask(user, "Council");
  expect(asked).toEqual({
    query: "Why?",
    mode: "council",
    options: {},
    history: [],
    stream: false,
    detach: true,
  });
  send(begun({ id }), ...COUNCIL, text(1, "Because"));
  await phase("Round 1: members answer");
  const first = await part("A, Smol 135M");
  await within(first).findByText("Because");
  expect(first.getAttribute("aria-busy")).toBe("true");
  await within(await part("B, Large 70B")).findByText("Waiting for the model to load…");
  send(...REVIEWS);
  expect((await within(first).findByText("A")).tagName).toBe("SPAN");
  await within(first).findByText(/12 tokens · 41.3 t\/s · first after 250 ms/);
  const scores = within(await part("Scores")).getAllByRole("row");
  expect(scores.map(({ textContent }) => textContent)).toEqual(["Answer ofMeanby A", "B77", "A–"]);
  await screen.findByText(/in words 40 %/);
  await screen.findByText("Good.", { exact: false });
  end(...SYNTHESIS, done());
  const synthesis = await part("Synthesis, Large 70B");
  await within(synthesis).findByText("Because of both.");
  await within(synthesis).findByText("Was given A, B");
  await phase("Answered");
  expect(shelf.get()[0]?.turns[0]).toMatchObject({
    plan: { mode: "council", queryId: id },
    answers: [{ state: "whole", text: "Because of both." }],
  });
  await user.click(screen.getByText("Who spoke when"));
  await screen.findByRole("list", { name: /Who spoke when, over/ });
});

it("shows on a narrow screen one member at a time", async () => {
  vi.stubGlobal("matchMedia", () => ({
    matches: true,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  const user = open();
  const { id, send } = await ask(user, "Council");
  send(begun({ id }), ...COUNCIL, text(1, "first"), text(2, "second"));
  await screen.findByText("first");
  expect(screen.queryByText("second")).toBeNull();
  await user.click(screen.getByRole("tab", { name: "B …" }));
  await screen.findByText("second");
});

it("stops with Escape, and keeps what has come", async () => {
  const user = open();
  const { id, send, end } = await ask(user, "Two-stage");
  plane.on(`POST /api/query/${id}/cancel`, () =>
    json(recordOf(begun({ id }), done({ status: "cancelled" }))),
  );
  send(begun({ id, mode: "two_stage" }), turn(1, { role: "draft" }), text(1, "so far"));
  await screen.findByText("so far");
  await user.keyboard("{Escape}");
  await waitFor(() => expect(plane.asked(`POST /api/query/${id}/cancel`)).toHaveLength(1));
  end(done({ status: "cancelled" }));
  await screen.findByText("Stopped.");
  expect(screen.getByText("so far")).toBeTruthy();
  expect(screen.getByText("Cut off here.")).toBeTruthy();
  await screen.findByRole("button", { name: "ASK" });
  expect(shelf.get()[0]?.turns[0]?.answers[0]?.state).toBe("stopped");
});

it("says what went otherwise, where it did, and who took over", async () => {
  const user = open();
  const { id, end } = await ask(user, "Compare");
  end(
    begun({ id, mode: "benchmark" }),
    { event: "note", data: { text: "third is left out: it is held.", turn: null, member: null } },
    turn(1, { member: "smol" }),
    said(1, "half", { error: "Its server has ended", figures: null }),
    { event: "note", data: { text: "smol has failed; large takes its place.", turn: 1, member: "smol" } },
    turn(2, { member: "smol", model: "large" }),
    said(2, "whole"),
    { event: "answer", data: { text: "whole" } },
    done(),
  );
  const speech = await part("Large 70B");
  expect(within(speech).getByRole("list", { name: "Notes" }).textContent).toContain("takes its place");
  await user.click(within(speech).getByText("Smol 135M failed first"));
  within(speech).getByText("Its server has ended");
  within(speech).getByText("half");
  expect(screen.getAllByRole("list", { name: "Notes" })[0]?.textContent).toContain("it is held");
  expect(within(await part("Figures")).getAllByRole("row")).toHaveLength(2);
});

it("explains what auto chose", async () => {
  const user = open();
  const { id, end } = await ask(user, "Auto");
  const why = "The question weighs 0.4: below 3 a FAST model answers at once.";
  end(
    begun({ id, mode: "auto" }),
    {
      event: "choice",
      data: { mode: "simple", tier: "fast", score: 0.4, parts: [{ points: 0.4, reason: "24 words" }], why },
    },
    turn(1, { is_answer: true }),
    said(1, "So."),
    { event: "answer", data: { text: "So.", turn: 1, model: "smol" } },
    done(),
  );
  await screen.findByText("Auto: Simple");
  await user.click(screen.getByText(why));
  screen.getByText("24 words");
});

it("debates with personas of one's own, which must be whole", async () => {
  const user = open();
  await screen.findAllByRole("option", { name: "Smol 135M" });
  await user.click(screen.getByRole("radio", { name: "Debate" }));
  await user.click(screen.getByText("Debate options"));
  await user.selectOptions(screen.getByRole("combobox", { name: "Personas" }), "own");
  const fill = async (side: string, name: string) => {
    const fields = within(screen.getByRole("group", { name: side }));
    await user.type(fields.getByRole("textbox", { name: "Name" }), name);
    await user.type(fields.getByRole("textbox", { name: "Manner" }), `You are a ${name}.`);
  };
  await fill("PRO", "Cat");
  screen.getByText("Give both sides a name and a manner.");
  await user.type(screen.getByRole("textbox", { name: "Question" }), "Fish?{Enter}");
  expect(playing).toEqual([]);
  await fill("CON", "Dog");
  await user.type(screen.getByRole("spinbutton", { name: "Turns of both together, at most" }), "99");
  await user.click(screen.getByRole("checkbox", { name: "A moderator between the rounds" }));
  await user.click(screen.getByRole("button", { name: "ASK" }));
  const { id, ask: asked, end } = await played(1);
  expect(asked.options).toEqual({
    personas: {
      pro: { name: "Cat", manner: "You are a Cat." },
      con: { name: "Dog", manner: "You are a Dog." },
    },
    turns: 40,
    moderator: true,
  });
  end(
    begun({ id, mode: "debate" }),
    {
      event: "cast",
      data: {
        players: [
          { member: "PRO", role: "pro", model: "smol", model_id: "smol", tier: "fast", persona: "Cat" },
          { member: "CON", role: "con", model: "large", model_id: "large", tier: "fast", persona: "Dog" },
        ],
      },
    },
    turn(1, { member: "PRO", role: "pro" }),
    said(1, "Fish is good."),
    turn(2, { member: "CON", role: "con", model: "large", hears: [1] }),
    said(2, "I concede."),
    { event: "ending", data: { reason: "concession", why: 'It says: "I concede."', turn: 2, member: "CON" } },
    turn(3, { member: "SYNTHESIS", role: "synthesis", round: 2, hears: [1, 2], is_answer: true }),
    said(3, "Fish it is."),
    { event: "answer", data: { text: "Fish it is.", turn: 3, model: "smol" } },
    done(),
  );
  const turns = within(await screen.findByRole("list", { name: "Debate" })).getAllByRole("region");
  expect(turns.map((one) => one.getAttribute("aria-label"))).toEqual([
    "PRO · Cat, Smol 135M",
    "CON · Dog, Large 70B",
  ]);
  await screen.findByText("CON gives up its case.");
  await within(await part("Synthesis, Smol 135M")).findByText("Fish it is.");
});

it("asks those that were chosen", async () => {
  const user = open();
  await screen.findAllByRole("option", { name: "Smol 135M" });
  await user.click(screen.getByRole("radio", { name: "Two-stage" }));
  await user.click(screen.getByRole("button", { name: "Choose them" }));
  await user.selectOptions(screen.getByRole("combobox", { name: /^Refines/ }), "powerful");
  const { ask: asked } = await ask(user, "Two-stage");
  expect(asked.models).toEqual(["smol", "powerful"]);
});

it("goes on with what was said, system prompt and sampling that modes take", async () => {
  const user = open();
  await screen.findAllByRole("option", { name: "Smol 135M" });
  await user.click(screen.getByText("System prompt and sampling"));
  await user.type(screen.getByRole("spinbutton", { name: /top_k/ }), "5");
  await user.type(screen.getByRole("textbox", { name: "System prompt" }), "Be brief.");
  await user.type(screen.getByRole("spinbutton", { name: /temperature/ }), "0");
  const first = await ask(user, "Auto", "One?");
  expect(screen.queryByRole("spinbutton", { name: /top_k/ })).toBeNull();
  expect(first.ask.options).toEqual({ temperature: 0, system_prompt: "Be brief." });
  const answer: Step = { event: "answer", data: { text: "Yes.", turn: 1, model: "smol" } };
  first.end(
    begun({ id: first.id, mode: "auto" }),
    turn(1, { is_answer: true }),
    said(1, "Yes."),
    answer,
    done(),
  );
  await phase("Answered");
  await user.type(screen.getByRole("textbox", { name: "Question" }), "Two?{Enter}");
  expect((await played(2)).ask.history).toEqual([
    { role: "user", content: "One?" },
    { role: "assistant", content: "Yes." },
  ]);
});

it("asks again by another mode, and by a model as in any chat", async () => {
  const chat = vi.fn(() => refusal(503, "Held", ""));
  plane.on("POST /v1/chat/completions", chat);
  const user = open();
  const first = await ask(user, "Auto");
  first.end(
    begun({ id: first.id }),
    done({ status: "failed", problem: { error: "Nobody answered", detail: "why" } }),
  );
  expect((await screen.findByRole("alert")).textContent).toContain("Nobody answered");
  const again = () => screen.findByRole("combobox", { name: "Retry with another model or mode" });
  await user.selectOptions(await again(), "Debate mode");
  const second = await played(2);
  expect(second.ask).toMatchObject({ mode: "debate", query: "Why?", history: [] });
  second.end(begun({ id: second.id, mode: "debate" }), done({ status: "failed" }));
  await user.selectOptions(await again(), "Smol 135M");
  await screen.findByText("Held");
  expect(chat).toHaveBeenCalledOnce();
  expect(shelf.get()[0]?.turns[0]?.plan).toBeUndefined();
});

it("says why nobody could be asked", async () => {
  plane.on("POST /api/query", () => refusal(503, "Nobody to ask", "All are held."));
  const user = open();
  await screen.findAllByRole("option", { name: "Smol 135M" });
  await user.click(screen.getByRole("radio", { name: "Council" }));
  await user.type(screen.getByRole("textbox", { name: "Question" }), "Why?{Enter}");
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("Nobody to ask");
  expect(alert.textContent).toContain("All are held.");
});

it("says so where nothing more is heard of it, by the record if there is one", async () => {
  const user = open();
  const { id, send, end } = await ask(user, "Council");
  plane.on(`GET /api/query/${id}`, () =>
    json(
      recordOf(begun({ id }), turn(1), said(1, "first"), done({ status: "interrupted", total_seconds: 3 })),
    ),
  );
  send(begun({ id }), turn(1), text(1, "fir"));
  await screen.findByText("fir");
  end();
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The control plane ended before the answer did");
  await screen.findByText("first");
});

it("goes on over a connection that breaks", async () => {
  const user = open();
  const { id, send, end } = await ask(user, "Council");
  plane.on(`GET /api/query/${id}`, () => json(recordOf(begun({ id }), ...COUNCIL)));
  send(begun({ id }), ...COUNCIL, text(1, "Beca"));
  await screen.findByText("Beca");
  end();
  const again = await waitFor(
    () => {
      if (!playing[1]) throw new Error("it is not followed again");
      return playing[1];
    },
    { timeout: 5000 },
  );
  expect(plane.asked("POST /api/query")).toHaveLength(1);
  again.end(begun({ id }), ...COUNCIL, ...REVIEWS, ...SYNTHESIS, done());
  await phase("Answered");
  expect(shelf.get()[0]?.turns[0]?.answers[0]?.text).toBe("Because of both.");
});

it("stops what is stopped before it has a number", async () => {
  let begin: (response: Response) => void = () => undefined;
  plane.on("POST /api/query", () => new Promise<Response>((resolve) => (begin = resolve)));
  const id = newId();
  plane.on(`GET /api/query/${id}/events`, () => stream(id));
  plane.on(`POST /api/query/${id}/cancel`, () =>
    json(recordOf(begun({ id }), done({ status: "cancelled" }))),
  );
  const user = open();
  await screen.findAllByRole("option", { name: "Smol 135M" });
  await user.click(screen.getByRole("radio", { name: "Council" }));
  await user.type(screen.getByRole("textbox", { name: "Question" }), "Why?{Enter}");
  await user.click(await screen.findByRole("button", { name: "STOP" }));
  begin(json({ id }, 202));
  await waitFor(() => expect(plane.asked(`POST /api/query/${id}/cancel`)).toHaveLength(1));
  (await played(1)).end(begun({ id }), done({ status: "cancelled" }));
  await screen.findByText("Stopped.");
});

/** A conversation whose question to a council was asked before the page was loaded. */
function askedBefore(queryId: number): void {
  const { id } = draft.get();
  change(id, (now) => withQuery(now, newPlan("council"), "Before?"));
  const turnId = shelf.get()[0]?.turns[0]?.id ?? "";
  change(id, (now) => settled(withPlan(now, turnId, { ...newPlan("council"), queryId })));
  location.hash = `#/ask?c=${id}`;
}

it("follows after a reload what is still under way, and can end it", async () => {
  const id = newId();
  plane.on(`GET /api/query/${id}`, () => json(recordOf(begun({ id }), ...COUNCIL)));
  plane.on(`GET /api/query/${id}/events`, () => stream(id));
  plane.on(`POST /api/query/${id}/cancel`, () =>
    json(recordOf(begun({ id }), done({ status: "cancelled" }))),
  );
  askedBefore(id);
  const user = open();
  const { send, end } = await played(1);
  send(begun({ id }), ...COUNCIL, text(1, "Because"));
  await screen.findByText("Because");
  await user.click(await screen.findByRole("button", { name: "STOP" }));
  await waitFor(() => expect(plane.asked(`POST /api/query/${id}/cancel`)).toHaveLength(1));
  end(said(1, "Because", { error: "Cancelled" }), done({ status: "cancelled" }));
  await screen.findByText("Stopped.");
  await screen.findByRole("button", { name: "ASK" });
});

it("shows what the conversation has where the record is gone", async () => {
  const id = newId();
  askedBefore(id);
  const { id: conversation } = shelf.get()[0] ?? { id: "" };
  change(conversation, (now) => ({
    ...now,
    turns: now.turns.map((one) => ({
      ...one,
      answers: one.answers.map((answer) => ({ ...answer, text: "Kept here.", state: "whole" as const })),
    })),
  }));
  plane.on(`GET /api/query/${id}`, () => refusal(404, "Query not found", ""));
  const user = open();
  await screen.findByText("Kept here.");
  await screen.findByText(/The steps to it cannot be shown/);
  plane.on(`GET /api/query/${id}`, () =>
    json(recordOf(begun({ id }), ...COUNCIL, ...REVIEWS, ...SYNTHESIS, done())),
  );
  await user.click(screen.getByRole("button", { name: "Look again" }));
  await part("Synthesis, Large 70B");
  expect(screen.queryByText("A, Smol 135M")).toBeNull();
});

it("lists what others asked, opens it, goes on from there and deletes it", async () => {
  const id = newId();
  const row = { id, mode: "council", query: "Theirs?", answer: null, began_at: new Date().toISOString() };
  plane.on("GET /api/query?limit=30", () =>
    json({ queries: [{ ...row, status: "done", total_seconds: 2 }], next: null }),
  );
  const history = [
    { role: "system" as const, content: "Be brief." },
    { role: "user" as const, content: "Earlier?" },
    { role: "assistant" as const, content: "Earlier." },
  ];
  const record = recordOf(
    begun({ id, query: "Theirs?", history }),
    ...COUNCIL,
    ...REVIEWS,
    ...SYNTHESIS,
    done(),
  );
  plane.on(`GET /api/query/${id}`, () => json(record));
  const user = open();
  await user.click(screen.getByText("Every question to a mode"));
  const link = await screen.findByRole("link", { name: /Theirs\?.*Council/ });
  await user.click(link);
  act(() => {
    location.hash = link.getAttribute("href") ?? "";
  });
  await screen.findByRole("heading", { name: "Question to a mode" });
  await part("Synthesis, Large 70B");
  await user.click(screen.getByRole("button", { name: "Go on from here" }));
  await screen.findByText("Earlier.");
  expect(shelf.get()[0]).toMatchObject({
    title: "Theirs?",
    system: "Be brief.",
    mode: "council",
    turns: [{ question: "Earlier?" }, { question: "Theirs?", plan: { queryId: id } }],
  });
  plane.on(`DELETE /api/query/${id}`, () => json({ message: "Query deleted", id }));
  act(() => {
    location.hash = `#/ask?q=${id}`;
  });
  await user.click(await screen.findByRole("button", { name: "Delete" }));
  await waitFor(() => expect(plane.asked(`DELETE /api/query/${id}`)).toHaveLength(1));
  expect(recordStore(id).get()).toBeTruthy();
});
