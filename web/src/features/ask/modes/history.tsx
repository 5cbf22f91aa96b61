import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { QueryRow } from "../../../lib/api";
import { timeWords } from "../../../lib/format";
import { Link } from "../../../lib/router";
import { useStore } from "../../../lib/store";
import { shelf } from "../shelf";
import { KINDS, type Mode, modeLabel } from "./kinds";
import { changes } from "./records";
import { wire } from "./wire";
import "./history.css";

const MOVING_MS = 5000;

/** Every question to a mode that the control plane keeps, whoever asked it. */
export function History({ here }: { here: number | null }) {
  const [isOpen, setOpen] = useState(here !== null);
  return (
    <details className="queries" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Every question to a mode</summary>
      {isOpen && <Rows here={here} />}
    </details>
  );
}

function Rows({ here }: { here: number | null }) {
  const [mode, setMode] = useState<Mode | "">("");
  const count = useStore(changes);
  const { data, error, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ["queries", mode, count],
    queryFn: ({ pageParam, signal }) => wire.list(mode, pageParam, signal),
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.pages.some(moves) ? MOVING_MS : false),
  });
  const rows = data?.pages.flatMap(({ queries }) => queries) ?? [];
  return (
    <>
      <select
        aria-label="Of which mode"
        value={mode}
        onChange={(event) => setMode(event.target.value as Mode)}
      >
        <option value="">All modes</option>
        {[...KINDS.map((kind) => kind.mode), "simple" as const].map((one) => (
          <option key={one} value={one}>
            {modeLabel(one)}
          </option>
        ))}
      </select>
      {error && <p className="conversations-note">{error.message}</p>}
      {data && rows.length === 0 && <p className="conversations-note">None yet.</p>}
      <ul>
        {rows.map((row) => (
          <Row key={row.id} row={row} here={here} />
        ))}
      </ul>
      {hasNextPage && (
        <button type="button" className="button button-plain" onClick={() => void fetchNextPage()}>
          Older ones
        </button>
      )}
    </>
  );
}

const moves = ({ queries }: { queries: QueryRow[] }) => queries.some(({ status }) => status === "running");

const STATES: Partial<Record<QueryRow["status"], string>> = {
  running: "under way",
  failed: "failed",
  cancelled: "stopped",
  interrupted: "interrupted",
};

function Row({ row: { id, mode, query, status, began_at }, here }: { row: QueryRow; here: number | null }) {
  const mine = useStore(
    shelf,
    (kept) => kept.find(({ turns }) => turns.some(({ plan }) => plan?.queryId === id))?.id,
  );
  const state = STATES[status];
  return (
    <li data-here={id === here}>
      <Link
        to="ask"
        query={mine === undefined ? { q: String(id) } : { c: mine }}
        aria-current={id === here ? "page" : undefined}
        title={query}
      >
        {query}
        <small>
          {modeLabel(mode)} · {timeWords(began_at)}
          {state && ` · ${state}`}
        </small>
      </Link>
    </li>
  );
}
