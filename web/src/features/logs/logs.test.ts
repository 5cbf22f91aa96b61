import { expect, it } from "vitest";
import { marked, plainOf, spansOf } from "../../components/log/ansi";
import { levelOf } from "../../components/log/log-view";
import {
  MOST_LINES,
  NEW_START,
  NOTHING,
  type Tail,
  type TailEvent,
  tailAfter,
} from "../../components/log/tail";
import { aModel, aRegistry, aServer } from "../../testing/wire";
import { fileName } from "./download";
import { EVERY, followPath, OWN, queryOf, sourceIn, sourcesOf } from "./sources";

const lines = (...texts: string[]): TailEvent => ({ kind: "lines", lines: texts, isNewStart: false });
const after = (...events: TailEvent[]): Tail => events.reduce(tailAfter, NOTHING);
const textsOf = (tail: Tail) => tail.lines.map(({ text }) => text);

it("takes a terminal's codes for what they are", () => {
  const line = "\x1b[31mred \x1b[1mbold\x1b[0m plain\x1b[2K \x1b[38;5;31mmany";
  expect(plainOf(line)).toBe("red bold plain many");
  expect(spansOf(line)).toEqual([
    { text: "red ", colour: 1, bold: false },
    { text: "bold", colour: 1, bold: true },
    { text: " plain", colour: null, bold: false },
    { text: " ", colour: null, bold: false },
    { text: "many", colour: null, bold: false },
  ]);
});

it("marks every match in whichever case", () => {
  expect(marked("Load a LOADER", "load")).toEqual([
    { text: "Load", isMatch: true },
    { text: " a ", isMatch: false },
    { text: "LOAD", isMatch: true },
    { text: "ER", isMatch: false },
  ]);
  expect(marked("as it is", "")).toEqual([{ text: "as it is", isMatch: false }]);
});

it("knows warnings and errors of servers and of the control plane", () => {
  expect(levelOf("0.00.010.387 W srv  llama_server: text")).toBe("warning");
  expect(levelOf("E srv: text")).toBe("error");
  expect(levelOf("2026-01-01 00:00:00,000 CRITICAL text")).toBe("error");
  expect(levelOf("0.00.010.387 I srv: an E in it")).toBeUndefined();
});

it("holds back what comes during a pause, and then shows it", () => {
  const paused = after(
    { kind: "opened" },
    lines("a"),
    { kind: "pause", isPaused: true },
    lines("b"),
    lines("c"),
  );
  expect(textsOf(paused)).toEqual(["a"]);
  expect(paused.held.map(({ text }) => text)).toEqual(["b", "c"]);
  const resumed = tailAfter(paused, { kind: "pause", isPaused: false });
  expect(textsOf(resumed)).toEqual(["a", "b", "c"]);
  expect(resumed.held).toEqual([]);
  expect(new Set(resumed.lines.map(({ id }) => id)).size).toBe(3);
});

it("shows a log once, also when it is told again after a break", () => {
  const broken = after({ kind: "opened" }, lines("a", "b"), { kind: "broken", problem: null });
  expect(textsOf(broken)).toEqual(["a", "b"]);
  const again = [{ kind: "opened" } as const, lines("a", "b", "c")].reduce(tailAfter, broken);
  expect(textsOf(again)).toEqual(["a", "b", "c"]);
  expect(again.state).toBe("following");
});

it("keeps the newest lines, and says where a new start begins", () => {
  const many = Array.from({ length: MOST_LINES + 5 }, (_, index) => `${index}`);
  const tail = after({ kind: "opened" }, lines(...many));
  expect(tail.lines).toHaveLength(MOST_LINES);
  expect(tail.lines[0]?.text).toBe("5");
  const restarted = tailAfter(tail, { kind: "lines", lines: ["x"], isNewStart: true });
  expect(textsOf(restarted).slice(-2)).toEqual([NEW_START, "x"]);
});

it("lists the control plane, all as one, every replica, then what is stopped", () => {
  const fleet = {
    registry: aRegistry([aModel(), aModel({ model_id: "z/other", display_name: "Other" })]),
    list: { servers: [aServer({ replica: 2 }), aServer()], total_running: 1 },
  };
  const sources = sourcesOf(fleet);
  expect(sources.map(({ label }) => label)).toEqual([
    OWN.label,
    EVERY.label,
    "Qwen 7B (Q4_K_M)",
    "Qwen 7B (Q4_K_M), replica 2",
    "Other",
  ]);
  for (const source of sources)
    expect(sourceIn(new URLSearchParams(queryOf(source)), sources)).toEqual(source);
  expect(sourceIn(new URLSearchParams("of=gone"), sources).label).toBe("gone");
});

it("asks for the wanted lines of the right log", () => {
  const other = { modelId: "z/other", replica: 2, label: "Other", isRunning: true };
  expect(followPath(OWN, { level: "error", search: "a b" })).toBe(
    "/api/logs?level=error&search=a+b&tail=2000&ansi=true",
  );
  expect(followPath(other, { level: "debug", search: "" })).toBe(
    "/api/models/servers/z%2Fother/logs?level=debug&search=&tail=2000&ansi=true&replica=2",
  );
  expect([fileName(OWN), fileName(other)]).toEqual(["synapse.log", "z_other-2.log"]);
});
