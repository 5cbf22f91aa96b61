import { expect, it } from "vitest";
import { aModel } from "../../testing/wire";
import { type Case, caseOf, logOf, reasonOf, remediesFor, smallerContext } from "./remedies";

const FAILED = "Failed to start server";

it.each<[string, string, Case, string]>([
  ["Not enough memory", "It needs 9000 MB of RAM, and 100 MB are free.", "no room", "smaller force retry"],
  [FAILED, "Out of memory (exit code 1). Last log lines:\nx", "ran out of memory", "smaller retry log"],
  [
    FAILED,
    "Llama-server was killed, perhaps because memory ran out (killed by SIGKILL)",
    "ran out of memory",
    "smaller retry log",
  ],
  [FAILED, "Port 8080 already in use by nginx (pid 7)", "port", "port retry"],
  [FAILED, "No free port in 8080-8099", "port", "port retry"],
  [FAILED, "The port was taken by another process (exit code 1)", "port", "port retry"],
  ["Port 8081 is pinned to x", "Pick another port, or free that one first.", "port", "port"],
  ["Port out of range: 80", "Choose one of 1024..65535.", "port", "port"],
  ["Not a port: x", "A port is a number from 1024 to 65535.", "port", "port"],
  [FAILED, "The engine does not know the argument --foo (exit code 1)", "setting", "settings retry log"],
  [FAILED, "The engine does not accept the value of --x (exit code 1)", "setting", "settings retry log"],
  [FAILED, "Unknown setting: foo. No such option.", "setting", "settings retry log"],
  ["Model file not found: x", "/m.gguf is not there any more.", "file gone", "rescan retry"],
  [FAILED, "The model file is cut short or corrupted (exit code 1)", "file broken", "rescan retry"],
  [FAILED, "The file is not a GGUF model (exit code 1)", "file broken", "rescan retry"],
  ["llama-server not found", "Looked in: PATH", "engine", "engine retry"],
  [FAILED, "This engine does not know the architecture foo (exit code 1)", "engine", "engine retry"],
  ["Could not save", "/data: disk full. Nothing was changed.", "unsaved", ""],
  ["Server manager not initialized", "Backend service not ready", "not ready", "retry"],
  ["Still looking for the server of x", "An earlier run", "not ready", "retry"],
  ["Server ended by itself", "Llama-server ended by itself (exit code 139)", "ended", "retry log"],
  [FAILED, "It did not answer within 60 s. Last log lines:\nload", "ended", "retry log"],
  [FAILED, "Llama-server ended by itself (exit code 1)\nthe log says: out of memory", "ended", "retry log"],
])("%s: %s", (error, detail, isCase, does) => {
  const note = { error, detail };
  expect(caseOf(note)).toBe(isCase);
  const remedies = remediesFor(note, aModel()).map((remedy) => remedy.does);
  expect(remedies.join(" ")).toBe(does);
});

it.each<[number | null, number | undefined, number | null]>([
  [32_768, undefined, 16_384],
  [131_072, undefined, 16_384],
  [131_072, 65_536, 32_768],
  [8192, undefined, 4096],
  [4096, undefined, 2048],
  [2048, undefined, null],
  [null, undefined, 16_384],
  [32_768, 5000, 2048],
])("trained for %s and set to %s, it may try %s tokens", (context_length, ctx_size, tokens) => {
  const settings = ctx_size === undefined ? {} : { ctx_size };
  expect(smallerContext(aModel({ context_length, settings }))).toBe(tokens);
});

it("tells the reason from the log", () => {
  expect([reasonOf("Bad\none\ntwo"), logOf("Bad\none\ntwo")]).toEqual(["Bad", "one\ntwo"]);
  const told = "Bad (exit code 1). Last log lines:\none";
  expect([reasonOf(told), logOf(told)]).toEqual(["Bad (exit code 1).", "one"]);
  expect([reasonOf("Bad"), logOf("Bad")]).toEqual(["Bad", ""]);
  expect([reasonOf(""), logOf("")]).toEqual(["", ""]);
});
