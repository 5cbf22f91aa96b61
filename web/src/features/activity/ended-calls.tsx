import { useMemo } from "react";
import { Press } from "../../components/press";
import { TableBox } from "../../components/table-box";
import type { Model } from "../../lib/api";
import { rateWords, secondsWords, timeWords } from "../../lib/format";
import { restate } from "../../lib/router";
import { Waiting } from "./live-calls";
import { DIALECTS, OUTCOME_TONES, OUTCOMES } from "./outcomes";

import { useEnded } from "./traffic";
import type { EndedCall, Filter } from "./wire";

interface EndedCallsProps {
  query: URLSearchParams;
  models: Model[];
  nameOf: (modelId: string) => string;
}

/** Requests that have ended, by page, with what of them is wanted. */
export function EndedCalls({ query, models, nameOf }: EndedCallsProps) {
  const words = query.toString();
  const filter = useMemo(() => filterIn(new URLSearchParams(words)), [words]);
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useEnded(filter);
  const calls = data?.pages.flatMap((page) => page.calls);
  const isFiltered = Object.values(filter).some(Boolean);
  return (
    <>
      <Filters filter={filter} models={models} />
      {calls === undefined ? (
        <Waiting error={error} />
      ) : calls.length === 0 ? (
        <p className="section-note">{isFiltered ? "No request is so." : "No request has come yet."}</p>
      ) : (
        <EndedTable calls={calls} nameOf={nameOf} />
      )}
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

export function filterIn(query: URLSearchParams): Filter {
  const wanted = (name: keyof Filter) => query.get(name) ?? "";
  return { model: wanted("model"), outcome: wanted("outcome"), dialect: wanted("dialect") };
}

function Filters({ filter, models }: { filter: Filter; models: Model[] }) {
  const modelChoices = models
    .map(({ model_id, display_name }): [string, string] => [model_id, display_name])
    .sort(([, a], [, b]) => a.localeCompare(b));
  const choices: [keyof Filter, string, [string, string][]][] = [
    ["model", "Every model", modelChoices],
    ["outcome", "Every outcome", Object.entries(OUTCOMES)],
    ["dialect", "Every dialect", DIALECTS.map((dialect) => [dialect, dialect])],
  ];
  function choose(name: keyof Filter, value: string): void {
    const given = Object.entries({ ...filter, [name]: value }).filter(([, of]) => of !== "");
    restate("activity", Object.fromEntries(given));
  }
  return (
    <fieldset className="bar filters">
      <legend className="unseen">Which requests</legend>
      {choices.map(([name, any, options]) => (
        <select
          key={name}
          aria-label={name[0]?.toUpperCase() + name.slice(1)}
          value={filter[name]}
          onChange={(event) => choose(name, event.target.value)}
        >
          <option value="">{any}</option>
          {!options.some(([value]) => value === filter[name]) && filter[name] && (
            <option value={filter[name]}>{filter[name]}</option>
          )}
          {options.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      ))}
    </fieldset>
  );
}

function EndedTable({ calls, nameOf }: { calls: EndedCall[]; nameOf: (modelId: string) => string }) {
  return (
    <TableBox label="Requests that have ended">
      <table className="plain-table" aria-label="Requests that have ended">
        <thead>
          <tr>
            <th scope="col">Came</th>
            <th scope="col">Model</th>
            <th scope="col">Outcome</th>
            <th scope="col">Took</th>
            <th scope="col">First byte</th>
            <th scope="col">Waited</th>
            <th scope="col">Tokens in, out</th>
            <th scope="col">Speed</th>
            <th scope="col">Dialect</th>
            <th scope="col">Client</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <tr key={call.id}>
              <td>{timeWords(call.began_at)}</td>
              <th scope="row">{call.model_id === null ? call.asked || "–" : nameOf(call.model_id)}</th>
              <td className={call.error ? "wraps" : undefined}>
                <span className="outcome" data-tone={OUTCOME_TONES[call.outcome]}>
                  {OUTCOMES[call.outcome]}
                  {call.status !== null && call.outcome !== "ok" && ` (${call.status})`}
                </span>
                {call.error && <span className="outcome-error">{call.error}</span>}
              </td>
              <td>{secondsWords(call.total_seconds)}</td>
              <td>{secondsWords(call.first_byte_seconds)}</td>
              <td>{secondsWords(call.queue_seconds + call.load_seconds)}</td>
              <td>
                {call.prompt_tokens ?? "–"}, {call.output_tokens ?? "–"}
              </td>
              <td>{rateWords(call.output_per_second)}</td>
              <td>{call.dialect}</td>
              <td className="wraps">{call.client}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
