import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Press } from "../../components/press";
import { go } from "../../lib/router";
import { Empty } from "./empty";
import { History } from "./history";
import { Progress } from "./progress";
import { isActive, useRuns } from "./runs";
import { Waiting } from "./waiting";

interface Props {
  nameOf: (model: string) => string;
}

/** What runs, and what has run. */
export function Home({ nameOf }: Props) {
  const client = useQueryClient();
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useRuns();
  const [ticked, setTicked] = useState<number[]>([]);
  const runs = data?.pages.flatMap(({ benchmarks }) => benchmarks);
  const there = ticked.filter((id) => runs?.some((run) => run.id === id));
  if (runs === undefined)
    return (
      <>
        <h1 className="unseen">Benchmarks</h1>
        <Waiting error={error} />
      </>
    );
  if (runs.length === 0) return <Empty />;
  const active = runs.filter(isActive).reverse();
  const [a, b] = [...there].sort((one, other) => one - other);
  return (
    <>
      <h1 className="unseen">Benchmarks</h1>
      <div className="bar">
        <Press className="button-main" available onPress={() => go("benchmarks", { new: "1" })}>
          NEW RUN
        </Press>
        {runs.length > 1 && (
          <Press
            available={a !== undefined && b !== undefined}
            aria-describedby="compare-help"
            onPress={() => go("benchmarks", { a: String(a), b: String(b) })}
          >
            COMPARE
          </Press>
        )}
        {runs.length > 1 && (
          <small id="compare-help" className="bench-quiet">
            {there.length < 2
              ? "Tick two runs to compare them."
              : "The older one is what the newer is measured by."}
          </small>
        )}
      </div>
      {active.map((run) => (
        <Progress key={run.id} run={run} client={client} nameOf={nameOf} isLinked />
      ))}
      <History runs={runs} ticked={there} onTick={setTicked} nameOf={nameOf} />
      {hasNextPage && (
        <div className="bar">
          <Press available={!isFetchingNextPage} onPress={() => void fetchNextPage()}>
            SHOW OLDER
          </Press>
        </div>
      )}
    </>
  );
}
