import { describe, expect, it } from "vitest";
import {
  type Conversation,
  messagesFor,
  newAnswer,
  newConversation,
  settled,
  spoken,
  upTo,
  withAnswer,
  withQuestion,
} from "./conversation";

const said = (text: string, model = "smol") => ({ ...newAnswer(model), state: "whole" as const, text });

function talked(): Conversation {
  let conversation = withQuestion(newConversation({ system: "Be brief." }), ["smol"], "One?", []);
  const [first] = conversation.turns;
  conversation = withAnswer(conversation, first?.id ?? "", 0, () => said("<think>hm</think>\nUno."));
  return withQuestion(conversation, ["smol", "large"], "Two?", ["data:image/jpeg;base64,AA"]);
}

const lastTurn = (conversation: Conversation) => conversation.turns.at(-1)?.id ?? "";

describe("what a model is sent", () => {
  it.each([0, 1])("is all that was said before, without thoughts, in column %i", (column) => {
    const conversation = talked();
    expect(messagesFor(conversation, lastTurn(conversation), column)).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "One?" },
      { role: "assistant", content: "Uno." },
      {
        role: "user",
        content: [
          { type: "text", text: "Two?" },
          { type: "image_url", image_url: { url: "data:image/jpeg;base64,AA" } },
        ],
      },
    ]);
  });

  it("leaves out questions that had no answer", () => {
    const conversation = withQuestion(talked(), ["smol"], "Three?", []);
    expect(messagesFor(conversation, lastTurn(conversation), 0).map(({ content }) => content)).toEqual([
      "Be brief.",
      "One?",
      "Uno.",
      "Three?",
    ]);
  });

  it("for an earlier turn ends with its question", () => {
    const conversation = talked();
    const sent = messagesFor(conversation, conversation.turns[0]?.id ?? "", 0);
    expect(sent.at(-1)).toEqual({ role: "user", content: "One?" });
  });
});

describe("a conversation", () => {
  it("has its first question for a title, and keeps a title that was given", () => {
    expect(talked().title).toBe("One?");
    const renamed = { ...upTo(talked(), talked().turns[0]?.id ?? ""), title: "Numbers" };
    expect(withQuestion(renamed, ["smol"], "Other?", []).title).toBe("Numbers");
  });

  it("goes back to before a turn", () => {
    const conversation = talked();
    expect(upTo(conversation, lastTurn(conversation)).turns.map(({ question }) => question)).toEqual([
      "One?",
    ]);
  });

  it("that was left while it was answered is stopped", () => {
    expect(settled(talked()).turns.map(({ answers }) => answers.map(({ state }) => state))).toEqual([
      ["whole"],
      ["stopped", "stopped"],
    ]);
  });
});

it.each([
  ["Uno.", { text: "Uno.", thinking: "" }],
  ["<think>\nhm\n</think>\n\nUno.", { text: "Uno.", thinking: "hm" }],
  ["<think>still", { text: "", thinking: "still" }],
  ["In HTML, <think> is no tag", { text: "In HTML, <think> is no tag", thinking: "" }],
])("of %j, thoughts and words are told apart", (text, expected) => {
  expect(spoken(said(text))).toEqual(expected);
});
