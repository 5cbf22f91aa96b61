import { describe, expect, it } from "vitest";
import { brokenOff, recordAfter, type Step } from "./record";
import { begun, done, recordOf, said, text, turn } from "./testing";

const NOTE: Step = { event: "note", data: { text: "It was replaced", turn: 1, member: "A" } };

describe("a record", () => {
  it("is nothing before it has begun", () => {
    expect(recordAfter(null, text(1, "a"))).toBeNull();
  });

  const first = [begun(), turn(1)];
  it.each<[string, Step[], object]>([
    [
      "begins under way",
      [begun()],
      { id: 7, status: "running", turns: [], answer: null, total_seconds: null },
    ],
    ["grows by pieces", [...first, text(1, "a"), text(1, "b")], { turns: [{ turn: 1, text: "ab" }] }],
    [
      "keeps thoughts apart",
      [...first, { event: "text", data: { turn: 1, text: "", thinking: "hm" } }],
      { turns: [{ text: "", thinking: "hm" }] },
    ],
    [
      "has the whole text in the end",
      [...first, text(1, "a"), said(1, "abc")],
      { turns: [{ text: "abc", ended_seconds: 1, error: null }] },
    ],
    [
      "knows several turns at once",
      [...first, turn(2, { member: "B" }), text(2, "two"), text(1, "one")],
      { turns: [{ text: "one" }, { text: "two" }] },
    ],
    ["collects notes", [begun(), NOTE, NOTE], { notes: [NOTE.data, NOTE.data] }],
    ["has the last cast", [begun(), { event: "cast", data: { players: [] } }], { players: [] }],
    [
      "collects reviews",
      [begun(), { event: "review", data: { turn: 4, member: "A", scores: [] } }],
      { reviews: [{ turn: 4, member: "A", scores: [] }] },
    ],
    [
      "has a ranking",
      [begun(), { event: "ranking", data: { members: [{ member: "B", score: 7, reviews: 2 }] } }],
      { ranking: [{ member: "B", score: 7, reviews: 2 }] },
    ],
    [
      "collects how far members agree",
      [begun(), { event: "agreement", data: { round: 1, similarity: 0.5, concordance: null, pairs: [] } }],
      { agreements: [{ round: 1, similarity: 0.5, concordance: null, pairs: [] }] },
    ],
    [
      "says why a debate ended",
      [begun(), { event: "ending", data: { reason: "turn_limit", why: "Over." } }],
      { ending: { reason: "turn_limit", why: "Over." } },
    ],
    [
      "ends with its answer",
      [...first, said(1, "abc"), { event: "answer", data: { text: "abc", turn: 1, model: "smol" } }, done()],
      { status: "done", answer: { text: "abc", turn: 1 }, total_seconds: 2, usage: { output_tokens: 12 } },
    ],
    [
      "ends without one",
      [begun(), done({ status: "failed", problem: { error: "Nobody", detail: "" } })],
      { status: "failed", problem: { error: "Nobody" }, answer: null },
    ],
    [
      "passes over what it does not know",
      [begun(), { event: "song", data: {} } as unknown as Step],
      { id: 7 },
    ],
  ])("%s", (_, steps, expected) => {
    expect(recordOf(...steps)).toMatchObject(expected);
  });

  it("leaves what a step does not touch as it was", () => {
    const before = recordOf(begun(), turn(1), turn(2, { member: "B" }));
    const now = recordAfter(before, text(2, "x"));
    expect(now?.turns[0]).toBe(before.turns[0]);
    expect(now?.turns[1]).not.toBe(before.turns[1]);
  });

  it("that is left is so only while it is under way", () => {
    const open = recordOf(begun());
    expect(brokenOff(open).status).toBe("interrupted");
    const ended = recordOf(begun(), done());
    expect(brokenOff(ended)).toBe(ended);
  });
});
