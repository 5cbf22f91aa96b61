import { useFleet } from "../../lib/fleet";
import { useKeys } from "../../lib/keys";
import { go, useRoute } from "../../lib/router";
import { CompareView } from "./compare-view";
import { Home } from "./home";
import { NewRun } from "./new-run";
import { RunView } from "./run-view";
import { useToldRuns } from "./runs";
import "../../components/bar.css";
import "../../components/plain-table.css";
import "./page.css";

/** Models measured side by side: what was, what runs, what it came to. */
export default function BenchmarksPage() {
  useToldRuns();
  const { query } = useRoute();
  const nameOf = useNames();
  useKeys([{ keys: "n", words: "New benchmark", run: () => go("benchmarks", { new: "1" }) }]);
  const [run, from, a, b] = ["run", "from", "a", "b"].map((name) => idIn(query, name));
  if (query.has("new")) return <NewRun key={from} from={from ?? null} />;
  if (a && b) return <CompareView a={a} b={b} nameOf={nameOf} />;
  if (run) return <RunView key={run} id={run} prompt={idIn(query, "prompt") ?? 1} nameOf={nameOf} />;
  return <Home nameOf={nameOf} />;
}

/** What a model is called, by the name that it was asked by. */
function useNames(): (name: string) => string {
  const models = useFleet().data?.registry.models;
  return (name) => {
    const exact = models?.find(({ model_id }) => model_id === name);
    if (exact) return exact.display_name;
    const whole = models?.find(({ model_id }) => name.startsWith(`${model_id}:`));
    return whole ? `${whole.display_name} · ${name.slice(whole.model_id.length + 1)}` : name;
  };
}

function idIn(query: URLSearchParams, name: string): number | undefined {
  const id = Number(query.get(name));
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}
