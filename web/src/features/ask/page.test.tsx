import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { toasts, undoLast } from "../../lib/toasts";
import { FakeControlPlane } from "../../testing/control-plane";
import { aModel } from "../../testing/wire";
import { newConversation } from "./conversation";
import AskPage from "./page";
import { draft, shelf } from "./shelf";
import type { Question } from "./wire";

const SMOL = "Smol 135M";
const LARGE = "Large 70B";

/** One request for an answer: what was asked, and the hand on what comes. */
interface Asked {
  question: Question;
  signal: AbortSignal;
  send: (text: string) => void;
  end: () => void;
}

let plane: FakeControlPlane;
let asked: Asked[];
let refusal: Response | null;
let client: QueryClient;

// The markdown comes in a file of its own, which takes a while to be read the first time.
beforeAll(() => import("../../components/markdown").then(() => undefined), 30_000);

beforeEach(() => {
  asked = [];
  refusal = null;
  draft.set(newConversation());
  plane = new FakeControlPlane([
    aModel({ model_id: "smol", display_name: SMOL, status: "running", enabled: true }),
    aModel({
      model_id: "large",
      display_name: LARGE,
      tier: "powerful",
      enabled: true,
      capabilities: ["vision"],
    }),
  ]);
  const planeAnswers = fetch as (path: string, init: RequestInit) => Promise<Response>;
  vi.stubGlobal("fetch", (path: string, init: RequestInit) =>
    path === "/v1/chat/completions" ? Promise.resolve(refusal ?? answerTo(init)) : planeAnswers(path, init),
  );
});

afterEach(() => {
  cleanup();
  client.clear();
  localStorage.clear();
  shelf.set([]);
  toasts.set([]);
  location.hash = "";
  vi.unstubAllGlobals();
});

function answerTo(init: RequestInit): Response {
  const signal = init.signal as AbortSignal;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      signal.addEventListener("abort", () => controller.error(new DOMException("left", "AbortError")));
      asked.push({
        question: JSON.parse(init.body as string),
        signal,
        send: (text) => controller.enqueue(new TextEncoder().encode(text)),
        end: () => controller.close(),
      });
    },
  });
  return new Response(body);
}

const words = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const TIMINGS = { predicted_n: 12, predicted_per_second: 41.25 };
const END = `data: ${JSON.stringify({ choices: [], timings: TIMINGS })}\n\ndata: [DONE]\n\n`;

function open() {
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <AskPage />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

const field = () => screen.findByRole("textbox", { name: "Question" });
const answerOf = (name: string) => screen.findByRole("region", { name: `Answer of ${name}` });
const request = (count: number) =>
  waitFor(() => {
    const found = asked[count - 1];
    if (!found) throw new Error(`only ${asked.length} were asked`);
    return found;
  });

async function ask(user: ReturnType<typeof userEvent.setup>, question: string): Promise<void> {
  await screen.findAllByRole("option", { name: SMOL });
  await user.type(await field(), `${question}{Enter}`);
}

it("asks the one that runs, shows the answer as it comes, and how fast it came", async () => {
  const user = open();
  await ask(user, "Capital of France?");
  const { question, send } = await request(1);
  expect(question).toMatchObject({
    model: "smol",
    stream: true,
    messages: [{ role: "user", content: "Capital of France?" }],
  });
  const answer = await answerOf(SMOL);
  send(": loading smol: 40%\n\n");
  await within(answer).findByText("loading smol: 40%");
  send(words("It is **Par"));
  await within(answer).findByText(/Par/);
  expect(answer.getAttribute("aria-busy")).toBe("true");
  expect(within(answer).queryByText("loading smol: 40%")).toBeNull();
  send(words("is**.") + END);
  expect((await within(answer).findByText("Paris")).tagName).toBe("STRONG");
  await within(answer).findByText(/12 tokens · 41.3 tokens\/s · first after/);
  expect(answer.getAttribute("aria-busy")).toBe("false");
  expect(location.hash).toBe(`#/ask?c=${shelf.get()[0]?.id}`);
});

it("breaks the line with Shift-Enter, and goes on with all that was said", async () => {
  const user = open();
  await ask(user, "One{Shift>}{Enter}{/Shift}two?");
  (await request(1)).send(words("Yes.") + END);
  await screen.findByText("Yes.");
  await ask(user, "More?");
  const { question } = await request(2);
  expect(question.messages.map(({ content }) => content)).toEqual(["One\ntwo?", "Yes.", "More?"]);
});

it("stops with Escape, and keeps what has come", async () => {
  const user = open();
  await ask(user, "Count");
  const { send, signal } = await request(1);
  send(words("one two"));
  await screen.findByText("one two");
  await user.keyboard("{Escape}");
  expect(signal.aborted).toBe(true);
  await screen.findByText("Stopped.");
  expect(screen.getByText("one two")).toBeTruthy();
  await screen.findByRole("button", { name: "ASK" });
});

it("edits the last question with the up arrow, and takes that back", async () => {
  const user = open();
  await ask(user, "Capital of Frnace?");
  (await request(1)).send(words("Unknown.") + END);
  await screen.findByText("Unknown.");
  await user.type(await field(), "{ArrowUp}");
  const edit = await screen.findByRole("textbox", { name: "Edit the question" });
  expect((edit as HTMLTextAreaElement).value).toBe("Capital of Frnace?");
  await user.clear(edit);
  await user.type(edit, "Capital of France?{Enter}");
  const second = await request(2);
  expect(second.question.messages).toEqual([{ role: "user", content: "Capital of France?" }]);
  expect(screen.queryByText("Unknown.")).toBeNull();
  undoLast();
  await screen.findByText("Unknown.");
  expect(second.signal.aborted).toBe(true);
});

it("has two models answer side by side, and says that a question starts the stopped one", async () => {
  const user = open();
  await screen.findAllByRole("option", { name: SMOL });
  await user.click(screen.getByRole("button", { name: "Add a second model" }));
  await user.selectOptions(screen.getByRole("combobox", { name: /^Second model/ }), "large");
  await screen.findByText("Stopped. Your question starts it.");
  await ask(user, "Who?");
  await request(2);
  expect(asked.map(({ question }) => question.model)).toEqual(["smol", "large"]);
  asked[1]?.send(words("I am large.") + END);
  await within(await answerOf(LARGE)).findByText("I am large.");
  expect((await answerOf(SMOL)).getAttribute("aria-busy")).toBe("true");
});

it("asks another model again", async () => {
  const user = open();
  await ask(user, "Who?");
  (await request(1)).send(words("I am small.") + END);
  await user.selectOptions(
    await screen.findByRole("combobox", { name: "Retry with another model or mode" }),
    "auto",
  );
  expect((await request(2)).question).toMatchObject({ model: "auto", messages: [{ content: "Who?" }] });
  expect(screen.queryByText("I am small.")).toBeNull();
});

it("folds thoughts away", async () => {
  const user = open();
  await ask(user, "Why?");
  (await request(1)).send(words("<think>let me see</think>Because.") + END);
  await screen.findByText("Because.");
  const thoughts = screen.getByText("let me see").closest("details");
  expect(thoughts?.open).toBe(false);
});

it("says what went wrong and what to do next", async () => {
  refusal = new Response('{"error":{"message":"Not enough memory: smol needs 5 GB"}}', { status: 507 });
  const user = open();
  await ask(user, "Who?");
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("Not enough memory: smol needs 5 GB");
  expect(alert.textContent).toContain("Stop another model");
  refusal = null;
  await user.click(screen.getByRole("button", { name: "Retry" }));
  (await request(1)).send(words("Me.") + END);
  await screen.findByText("Me.");
});

it("says that an answer broke off", async () => {
  const user = open();
  await ask(user, "Who?");
  const { send, end } = await request(1);
  send(words("I a"));
  end();
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The answer broke off");
  expect(screen.getByText("I a")).toBeTruthy();
});

it("sends the system prompt and the sampling that were set", async () => {
  const user = open();
  await screen.findAllByRole("option", { name: SMOL });
  await user.click(screen.getByText("System prompt and sampling"));
  await user.type(screen.getByRole("textbox", { name: "System prompt" }), "Be brief.");
  await user.type(screen.getByRole("spinbutton", { name: /temperature/ }), "0.5");
  await ask(user, "Who?");
  expect((await request(1)).question).toMatchObject({
    temperature: 0.5,
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Who?" },
    ],
  });
});

it("renames, deletes and brings back a conversation", async () => {
  const user = open();
  await ask(user, "Who?");
  (await request(1)).send(words("Me.") + END);
  await screen.findByText("Me.");
  await user.click(screen.getByRole("button", { name: "More for Who?" }));
  await user.click(await screen.findByRole("menuitem", { name: "Rename" }));
  const title = await screen.findByRole("textbox", { name: "Title of Who?" });
  await user.clear(title);
  await user.type(title, "Names{Enter}");
  await screen.findByRole("link", { name: "Names" });
  await user.click(screen.getByRole("button", { name: "More for Names" }));
  await user.click(await screen.findByRole("menuitem", { name: "Delete" }));
  await waitFor(() => expect(screen.queryByRole("link", { name: "Names" })).toBeNull());
  undoLast();
  await screen.findByRole("link", { name: "Names" });
  await screen.findByText("Me.");
});

it("offers pictures only to models that see", async () => {
  const user = open();
  await screen.findAllByRole("option", { name: SMOL });
  expect(screen.queryByLabelText("Add picture")).toBeNull();
  await user.selectOptions(screen.getByRole("combobox", { name: /^Model/ }), "large");
  await screen.findByLabelText("Add picture");
});

it("asks nobody where nobody can be asked, and says what to do", async () => {
  for (const id of ["smol", "large"]) plane.change(id, { status: "stopped", enabled: false });
  const user = open();
  await screen.findByText(/No model can be asked/);
  await user.type(await field(), "Who?{Enter}");
  expect(shelf.get()).toEqual([]);
  expect(asked).toEqual([]);
});
