import { useEffect, useMemo, useRef, useState } from "react";
import { LogView } from "../../components/log/log-view";
import { type Tail, useTail } from "../../components/log/tail";
import { Press } from "../../components/press";
import { useFleet } from "../../lib/fleet";
import { countWords } from "../../lib/format";
import { useKeys } from "../../lib/keys";
import { restate, useRoute } from "../../lib/router";
import { download } from "./download";
import {
  followPath,
  LEVELS,
  type Level,
  queryOf,
  type Source,
  sourceIn,
  sourceKey,
  sourcesOf,
  type Wanted,
} from "./sources";
import "../../components/bar.css";
import "./page.css";

const TYPING_MS = 200;
const LEVEL_WORDS: Record<Level, string> = {
  debug: "Every level",
  info: "Info and above",
  warning: "Warnings and errors",
  error: "Errors",
};

export default function LogsPage() {
  const fleet = useFleet().data;
  const sources = useMemo(() => sourcesOf(fleet), [fleet]);
  const source = sourceIn(useRoute().query, sources);
  const [level, setLevel] = useState<Level>("debug");
  const [typed, setTyped] = useState("");
  const search = useSettled(typed);
  const wanted: Wanted = { level, search };
  const [wraps, setWraps] = useState(true);
  const [coloured, setColoured] = useState(true);
  const { tail, pause } = useTail(followPath(source, wanted));
  const field = useRef<HTMLInputElement>(null);
  const togglePause = () => pause(!tail.isPaused);
  useKeys([
    { keys: "/", words: "Search the log", run: () => field.current?.focus() },
    { keys: "p", words: "Pause or resume the log", run: togglePause },
    { keys: "w", words: "Wrap long lines, or not", run: () => setWraps(!wraps) },
  ]);
  return (
    <>
      <h1 className="unseen">Logs</h1>
      <div className="bar log-bar">
        <SourceSelect sources={sources} source={source} />
        <select aria-label="Level" value={level} onChange={(event) => setLevel(event.target.value as Level)}>
          {LEVELS.map((name) => (
            <option key={name} value={name}>
              {LEVEL_WORDS[name]}
            </option>
          ))}
        </select>
        <input
          ref={field}
          type="search"
          aria-label="Search the log"
          placeholder="Lines that hold…"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <Press available aria-pressed={tail.isPaused} onPress={togglePause}>
          {tail.isPaused ? "RESUME" : "PAUSE"}
        </Press>
        <Press available onPress={() => void download(source, wanted, tail.lines)}>
          DOWNLOAD
        </Press>
        <Check label="Wrap" checked={wraps} onChange={setWraps} />
        <Check label="Colours" checked={coloured} onChange={setColoured} />
      </div>
      <p className="log-state" data-state={tail.state}>
        {/* Only the state is read out; the count would be without end. */}
        <span role="status">{stateWords(tail)}</span> {countOf(tail)}
      </p>
      <LogView
        key={sourceKey(source)}
        label={`Log of ${source.label}`}
        lines={tail.lines}
        search={search}
        wraps={wraps}
        coloured={coloured}
        nothing={nothingWords(tail, wanted)}
      />
    </>
  );
}

function SourceSelect({ sources, source }: { sources: Source[]; source: Source }) {
  const key = sourceKey(source);
  const isKnown = sources.some((known) => sourceKey(known) === key);
  const all = isKnown ? sources : [...sources, source];
  const option = (one: Source) => (
    <option key={sourceKey(one)} value={sourceKey(one)}>
      {one.modelId === null ? one.label.replace(/^./, (first) => first.toUpperCase()) : one.label}
    </option>
  );
  function choose(wanted: string): void {
    const chosen = all.find((one) => sourceKey(one) === wanted);
    if (chosen) restate("logs", queryOf(chosen));
  }
  return (
    <select
      className="log-source"
      aria-label="Log of"
      value={key}
      onChange={(event) => choose(event.target.value)}
    >
      {all.filter(({ modelId }) => modelId === null).map(option)}
      <optgroup label="Servers now">
        {all.filter(({ modelId, isRunning }) => modelId !== null && isRunning).map(option)}
      </optgroup>
      <optgroup label="Stopped: the last start">
        {all.filter(({ isRunning }) => !isRunning).map(option)}
      </optgroup>
    </select>
  );
}

interface CheckProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

function Check({ label, checked, onChange }: CheckProps) {
  return (
    <label className="bar-check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

/** What was typed, once the person has stopped typing: each search reads the log anew. */
function useSettled(typed: string): string {
  const [settled, setSettled] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(typed), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return settled;
}

function stateWords({ state, isPaused, problem }: Tail): string {
  if (state === "opening") return "Opening…";
  if (state === "away") return `${problem?.message ?? "The log broke off."} Shown is what was known before.`;
  return isPaused ? "Paused." : "Following.";
}

function countOf({ state, isPaused, lines, held }: Tail): string {
  if (state === "opening") return "";
  return isPaused
    ? `${countWords(held.length, "new line")} held back.`
    : `${countWords(lines.length, "line")}.`;
}

function nothingWords({ state }: Tail, { level, search }: Wanted): string {
  if (state !== "following") return "";
  return search || level !== "debug" ? "No line is so." : "Nothing logged yet.";
}
