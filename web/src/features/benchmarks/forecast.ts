import type { Device, Server, Status } from "../../lib/api";
import { countWords, durationWords, memoryWords } from "../../lib/format";
import { byModel } from "../../lib/replicas";
import { type Choice, promptsOf } from "./choice";
import type { Contestant } from "./contestants";
import { KNOWN_DAYS, type PromptSet, type SpeedsHere } from "./wire";

/** What is known before a run begins. */
export interface Known {
  contestants: Contestant[];
  sets: PromptSet[];
  servers: Server[];
  devices: Device[];
  speeds: SpeedsHere["models"];
  /** How many runs come first. */
  before: number;
}

const WARM_UP_TOKENS = 16;
const NAMES = 4;
const UP: Status[] = ["running", "starting", "queued"];

/** What a run will do, said before it does it; each a sentence or two. */
export function forecastOf(choice: Choice, known: Known): string[] {
  const chosen = choice.models
    .map((name) => known.contestants.find((contestant) => contestant.name === name))
    .filter((contestant) => contestant !== undefined);
  return [
    known.before > 0 ? `It waits for ${countWords(known.before, "run")} to end first.` : "",
    requestWords(choice, known.sets),
    timeWords(choice, chosen, known),
    choice.manner === "isolated" ? isolationWords(choice, chosen, known) : togetherWords(chosen, known),
    elsewhereWords(chosen),
  ].filter(Boolean);
}

/** Seconds at most, by how fast these models have been here; null where one of them has not answered lately. */
export function mostSeconds(choice: Choice, chosen: Contestant[], known: Known): number | null {
  const prompts = promptsOf(choice, known.sets);
  let seconds = 0;
  for (const contestant of chosen) {
    const speed = speedOf(contestant, known);
    if (speed === null) return null;
    const answers = prompts.map(
      ({ max_tokens }) => speed.first + (choice.maxTokens ?? max_tokens) / speed.perSecond,
    );
    const warmUp = speed.first + WARM_UP_TOKENS / speed.perSecond;
    seconds += choice.repetitions * answers.reduce((a, b) => a + b, 0) + choice.warmUps * warmUp;
  }
  return seconds;
}

/** Seconds until an answer began, and tokens per second then, as a mean of what was asked lately. */
function speedOf({ modelId }: Contestant, { speeds }: Known): { first: number; perSecond: number } | null {
  const found = speeds.find(({ model_id }) => modelId !== null && model_id === modelId);
  if (!found?.output_per_second || found.first_byte_seconds === null) return null;
  return { first: found.first_byte_seconds, perSecond: found.output_per_second };
}

/** Questions to the judge: every pair of answers to a prompt, in both orders. */
export function questionsToJudge(models: number, prompts: number): number {
  return models * (models - 1) * prompts;
}

function requestWords(choice: Choice, sets: PromptSet[]): string {
  const models = choice.models.length;
  const prompts = promptsOf(choice, sets).length;
  const measured = models * prompts * choice.repetitions;
  const of = `${countWords(models, "model")}, ${countWords(prompts, "prompt")}, ${countWords(choice.repetitions, "repetition")}`;
  const warmUps = models * choice.warmUps;
  const judged = choice.judge ? questionsToJudge(models, prompts) : 0;
  return [
    `${countWords(measured, "measured request")}: ${of}.`,
    warmUps > 0 ? `Before, ${countWords(warmUps, "request")} to warm up.` : "",
    judged > 0 ? `Afterwards ${countWords(judged, "question")} to the judge.` : "",
  ]
    .filter(Boolean)
    .join(" ");
}

function timeWords(choice: Choice, chosen: Contestant[], known: Known): string {
  if (chosen.length === 0) return "";
  const seconds = mostSeconds(choice, chosen, known);
  const days = `${KNOWN_DAYS} days`;
  if (seconds === null) {
    const silent = chosen.filter((contestant) => !speedOf(contestant, known)).map(({ label }) => label);
    return `How long it takes is not known: ${namesWords(silent)} did not answer here in the last ${days}.`;
  }
  const left = [choice.judge ? "the judge" : "", "loading"].filter(Boolean).join(" and ");
  const shared =
    choice.turns === "at_once" ? " Asked at once, they share the machine and may take longer." : "";
  return `About ${durationWords(seconds)} at most by their speeds in the last ${days}, without ${left}.${shared}`;
}

function isolationWords(choice: Choice, chosen: Contestant[], known: Known): string {
  const servers = [...byModel(known.servers).values()].filter(({ status }) => UP.includes(status));
  const up = servers.map(({ display_name }) => display_name);
  const own = new Set(chosen.flatMap(({ modelId }) => modelId ?? [])).size;
  const seconds = mostSeconds(choice, chosen, known);
  const time = seconds === null ? "" : ` (about ${durationWords(seconds)}, and loading)`;
  const stops =
    up.length === 0
      ? "No model runs, so none is stopped."
      : `Stops ${countWords(up.length, "running model")} (${namesWords(up)}) once their requests have ended, brings them back when the run ends${time}.`;
  return `${stops} Starts and stops ${countWords(own, "model")}, one at a time. Meanwhile nobody else can start a model.`;
}

function togetherWords(chosen: Contestant[], { devices }: Known): string {
  const own = [...new Map(chosen.map((contestant) => [contestant.modelId, contestant])).values()];
  const stopped = own.filter(({ modelId, status }) => modelId !== null && status !== "running");
  if (own.length === 0) return "";
  if (stopped.length === 0) return "All of them run already: nothing is started or stopped.";
  const neededMb = stopped.reduce((sum, { memoryMb }) => sum + (memoryMb ?? 0), 0);
  const freeMb = devices.reduce((sum, { free_mb }) => sum + free_mb, 0);
  const isKnown = stopped.every(({ memoryMb }) => memoryMb !== null);
  const needs = isKnown ? `; about ${memoryWords(neededMb)} are needed, ${memoryWords(freeMb)} are free` : "";
  const short =
    isKnown && neededMb <= freeMb
      ? ""
      : " Where memory is short, idle models are stopped for them, and what does not fit is left out.";
  const starts = `Starts ${countWords(stopped.length, "model")} (${namesWords(stopped.map(({ label }) => label))})${needs}.`;
  return `${starts}${short} Afterwards the fleet is put back as it was.`;
}

function elsewhereWords(chosen: Contestant[]): string {
  const count = chosen.filter(({ modelId }) => modelId === null).length;
  if (count === 0) return "";
  return `${countWords(count, "model")} elsewhere: asked over the network, and its memory is not known.`;
}

function namesWords(names: string[]): string {
  if (names.length <= NAMES) return names.join(", ");
  return `${names.slice(0, NAMES - 1).join(", ")} and ${names.length - NAMES + 1} more`;
}
