import { type ReactNode, useState } from "react";
import { TableBox } from "../../components/table-box";
import type { LastError } from "../../lib/api";
import { memoryWords } from "../../lib/format";
import { bestOf, type Column, type Order, orderAfter, ordered, topOfColumn } from "./columns";
import { Range, rangeWords } from "./range";
import type { ModelResult } from "./wire";
import "./model-table.css";

interface Props {
  label: string;
  results: ModelResult[];
  columns: Column[];
}

/** A model a row, a figure a column with how much it varies; sorted by any. */
export function ModelTable({ label, results, columns }: Props) {
  const [order, setOrder] = useState<Order | null>(null);
  const by = columns.find(({ id }) => id === order?.by);
  const rows = ordered(results, by, order?.descending ?? false);
  return (
    <TableBox label={label}>
      <table className="plain-table figure-table model-figures" aria-label={label}>
        <thead>
          <tr>
            <th scope="col">Model</th>
            {columns.map((column) => (
              <SortHead
                key={column.id}
                column={column}
                order={order}
                onPress={() => setOrder(orderAfter(order, column))}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((result) => (
            <tr key={result.model}>
              <th scope="row">
                <ModelWords result={result} />
              </th>
              {columns.map((column) => (
                <FigureCell key={column.id} result={result} results={results} column={column} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

interface SortHeadProps {
  column: Column;
  order: Order | null;
  onPress: () => void;
}

function SortHead({ column: { id, label, hint }, order, onPress }: SortHeadProps) {
  const isIt = order?.by === id;
  const direction = order?.descending ? "descending" : "ascending";
  return (
    <th scope="col" aria-sort={isIt ? direction : "none"}>
      <button type="button" className="sort-head" title={hint} onClick={onPress}>
        {label}
        <span aria-hidden="true">{isIt ? (order.descending ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
}

function ModelWords({ result }: { result: ModelResult }) {
  const { display_name, model, model_id, requests, failed, error, was_running, file_size_mb } = result;
  const facts = [
    model_id === null ? "elsewhere" : model === model_id ? "" : model,
    file_size_mb === null ? "" : `${memoryWords(file_size_mb)} file`,
    was_running ? "ran already" : "",
  ];
  return (
    <>
      <span className="model-figures-name">{display_name}</span>
      <small>{facts.filter(Boolean).join(", ")}</small>
      {failed > 0 && (
        <small className="bench-refusal">
          {failed} of {requests} failed
        </small>
      )}
      {error && <LeftOut {...error} />}
    </>
  );
}

/** Why it has no figures: the reason at once, what its log said on demand. */
function LeftOut({ error, detail }: LastError) {
  const [reason = "", ...rest] = detail.split("\n");
  return (
    <>
      <small className="bench-refusal">
        Left out: {error}. {reason}
      </small>
      {rest.length > 0 && (
        <details className="left-out">
          <summary>All of it</summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre tabIndex={0}>{rest.join("\n")}</pre>
        </details>
      )}
    </>
  );
}

interface FigureCellProps {
  result: ModelResult;
  results: ModelResult[];
  column: Column;
}

function FigureCell({ result, results, column }: FigureCellProps): ReactNode {
  const value = column.of(result);
  if (value === null) return <td>–</td>;
  const spread = column.spreadOf(result);
  const isBest = bestOf(results, column) === result;
  return (
    <td title={spread ? rangeWords(spread, column.words) : undefined}>
      <span className="figure" data-best={isBest}>
        {column.words(value)}
        {isBest && <span className="figure-best"> best</span>}
      </span>
      {spread && (
        <>
          <Range spread={spread} top={topOfColumn(results, column)} />
          <span className="unseen">, {rangeWords(spread, column.words)}</span>
        </>
      )}
    </td>
  );
}
