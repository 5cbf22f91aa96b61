import { describe, expect, it } from "vitest";
import {
  failedFinals,
  finalOf,
  lettersOf,
  notesOf,
  notesOfAll,
  phaseOf,
  reviewTableOf,
  roundsOf,
} from "./reading";
import type { Spoken, Step } from "./record";
import { begun, done, recordOf, said, text, turn } from "./testing";

const nameOf = (model: string) => model.toUpperCase();

describe("rounds", () => {
  it("hold members in the order in which they began, and whoever took their place", () => {
    const record = recordOf(
      begun(),
      turn(1),
      turn(2, { member: "B" }),
      said(1, "", { error: "It died", figures: null }),
      turn(3, { model: "large" }),
      turn(4, { role: "review", round: 2 }),
    );
    const shape = roundsOf(record.turns).map(({ role, round, seats }) => [
      role,
      round,
      seats.map(({ member, turns }) => `${member}${turns.map(({ turn }) => turn)}`),
    ]);
    expect(shape).toEqual([
      ["answer", 1, ["A1,3", "B2"]],
      ["review", 2, ["A4"]],
    ]);
  });

  it("have the notes that are about them", () => {
    const record = recordOf(
      begun(),
      { event: "note", data: { text: "of all", turn: null, member: null } },
      turn(1),
      { event: "note", data: { text: "of one", turn: 1, member: "A" } },
    );
    expect(notesOfAll(record).map(({ text }) => text)).toEqual(["of all"]);
    expect(notesOf(record, record.turns).map(({ text }) => text)).toEqual(["of one"]);
  });
});

describe("what happens now", () => {
  const council = (...steps: Step[]) => recordOf(begun(), ...steps);
  const debate = (...steps: Step[]) => recordOf(begun({ mode: "debate" }), ...steps);
  const stages = (...steps: Step[]) => recordOf(begun({ mode: "two_stage" }), ...steps);
  const simple = (...steps: Step[]) => recordOf(begun({ mode: "auto" }), ...steps);
  const choice: Step = {
    event: "choice",
    data: { mode: "simple", tier: "fast", score: 1, parts: [], why: "It is easy." },
  };
  it.each([
    [council(), "Choosing who answers"],
    [council(turn(1), turn(2, { member: "B" })), "Round 1: members answer"],
    [council(turn(1), text(1, "more"), turn(2)), "Round 1: members answer"],
    [council(turn(1), said(1, "a")), "Goes on"],
    [council(turn(4, { role: "review", round: 2 })), "Round 2: members review each other"],
    [council(turn(7, { role: "refine", round: 3 })), "Round 3: members refine their answers"],
    [council(turn(9, { role: "synthesis", round: 4, is_answer: true })), "SMOL puts it together"],
    [debate(turn(3, { role: "pro", member: "PRO", round: 2 })), "Round 2: PRO speaks"],
    [debate(turn(3, { role: "moderator", member: "MODERATOR" })), "Round 1: MODERATOR speaks"],
    [stages(turn(1, { role: "draft", member: "DRAFT" })), "SMOL drafts"],
    [stages(turn(2, { role: "refine", round: 2, is_answer: true })), "SMOL refines the draft"],
    [simple(choice, turn(1, { is_answer: true })), "SMOL answers"],
    [recordOf(begun({ mode: "benchmark" }), turn(1), turn(2, { member: "b" })), "2 models answer"],
    [council(turn(1), done()), "Answered"],
    [council(turn(1), done({ status: "cancelled" })), "Stopped"],
    [council(done({ status: "failed" })), "Failed"],
    [council(done({ status: "interrupted" })), "Interrupted"],
  ])("%# is said", (record, words) => {
    expect(phaseOf(record, nameOf)).toBe(words);
  });
});

describe("the whole answer", () => {
  const draft = [turn(1, { role: "draft" }), said(1, "draft")];
  const refining = turn(2, { role: "refine", is_answer: true });
  const failed = said(2, "half", { error: "It died", figures: null });
  it.each<[string, Step[], [number | null, string] | null]>([
    ["is none at first", [], null],
    ["is none while a draft is written", draft, null],
    ["is what is being written", [...draft, refining, text(2, "who")], [2, "who"]],
    ["is none while nobody has taken over", [...draft, refining, failed], null],
    [
      "is the draft where that had to do",
      [...draft, refining, failed, { event: "answer", data: { text: "draft", turn: 1, model: "smol" } }],
      [1, "draft"],
    ],
    ["may be of several", [...draft, { event: "answer", data: { text: "both" } }], [null, "both"]],
  ])("%s", (_, steps, expected) => {
    const final = finalOf(recordOf(begun(), ...steps));
    expect(final && [final.spoken?.turn ?? null, final.text]).toEqual(expected);
  });

  it("has those behind it who failed at it", () => {
    const record = recordOf(
      begun(),
      ...draft,
      refining,
      failed,
      turn(3, { is_answer: true }),
      said(3, "whole"),
    );
    expect(failedFinals(record).map(({ turn }) => turn)).toEqual([2]);
  });
});

describe("reviews", () => {
  const asked = (...answers: [string, string][]): Spoken["messages"] => [
    {
      role: "user",
      content: `The question:\nWhy?\n\n${answers.map(([letter, answer]) => `Answer ${letter}:\n${answer}`).join("\n\n")}\n\nAbove are a question and answers.`,
    },
  ];
  const answers = ["one", "two", "three"].flatMap((words, index) => [
    turn(index + 1, { member: "ABC"[index] as string }),
    said(index + 1, words),
  ]);
  const review = (number: number, member: string, hears: number[], messages: Spoken["messages"]) => [
    turn(number, { member, role: "review", round: 2, hears, messages }),
    said(number, "{}"),
  ];
  const reviewed = recordOf(
    begun(),
    ...answers,
    ...review(4, "A", [2, 3], asked(["P", "three"], ["Q", "two"])),
    ...review(5, "B", [1, 3], asked(["P", "one"], ["Q", "three"])),
    {
      event: "review",
      data: {
        turn: 4,
        member: "A",
        scores: [
          { member: "C", score: 8, comment: "Answer P is better than Answer Q." },
          { member: "B", score: 3, comment: "" },
        ],
      },
    },
    {
      event: "review",
      data: { turn: 5, member: "B", scores: [{ member: "A", score: 5.5, comment: "Fine." }] },
    },
    {
      event: "ranking",
      data: {
        members: [
          { member: "C", score: 8, reviews: 1 },
          { member: "A", score: 5.5, reviews: 1 },
          { member: "B", score: 3, reviews: 1 },
        ],
      },
    },
  );

  it("are a table, the strongest first", () => {
    expect(reviewTableOf(reviewed)).toMatchObject({
      reviewers: ["A", "B"],
      rows: [
        { member: "C", mean: 8, scores: [8, null] },
        { member: "A", mean: 5.5, scores: [null, 5.5] },
        { member: "B", mean: 3, scores: [3, null] },
      ],
    });
  });

  it("say whose the answers were that their writers knew by letters", () => {
    expect(reviewTableOf(reviewed)?.comments).toEqual([
      { of: "C", by: "A", text: "Answer C is better than Answer B." },
      { of: "A", by: "B", text: "Fine." },
    ]);
  });

  it("are none before there is one", () => {
    expect(reviewTableOf(recordOf(begun(), ...answers))).toBeNull();
  });

  const long = "a long answer that was cut in the middle ".repeat(20);
  it.each<[string, string[], [string, string][], [string, string][]]>([
    [
      "that begin alike",
      ["Paris", "Paris, of course"],
      [
        ["P", "Paris, of course"],
        ["Q", "Paris"],
      ],
      [
        ["P", "B"],
        ["Q", "A"],
      ],
    ],
    [
      "that are the same",
      ["Paris", "Paris"],
      [
        ["P", "Paris"],
        ["Q", "Paris"],
      ],
      [
        ["P", "A"],
        ["Q", "B"],
      ],
    ],
    [
      "that were cut",
      [long, "short"],
      [
        ["P", "short"],
        ["Q", `${long.slice(0, 300)}\n[... cut ...]\nend`],
      ],
      [
        ["P", "B"],
        ["Q", "A"],
      ],
    ],
    ["that are not there", ["x", "y"], [["P", "z"]], []],
  ])("find answers %s", (_, texts, told, expected) => {
    const record = recordOf(
      begun(),
      ...texts.flatMap((words, index) => [
        turn(index + 1, { member: "AB"[index] as string }),
        said(index + 1, words),
      ]),
      ...review(3, "C", [1, 2], asked(...told)),
    );
    expect([...lettersOf(record.turns[2], record.turns)]).toEqual(expected);
  });
});
