import { useEffect, useRef, useState } from "react";
import type { Model, Server } from "../../lib/api";
import { COLUMNS, type ColumnId } from "./columns";
import { ModelRow } from "./model-row";
import type { Order } from "./order";
import "./model-table.css";
import "./model-table-narrow.css";

const STEP = 150;

interface TableProps {
  /** What was searched and how it is sorted. Another question begins with few rows again. */
  question: string;
  models: Model[];
  servers: ReadonlyMap<string, Server>;
  order: Order;
  onOrder: (order: Order) => void;
}

/** Every model given, in the order given. Thousands of rows are built as one scrolls towards them. */
export function ModelTable({ question, models, servers, order, onOrder }: TableProps) {
  const [grown, setGrown] = useState({ question, limit: STEP });
  const limit = grown.question === question ? grown.limit : STEP;
  return (
    <>
      <table className="models">
        <caption className="unseen">Models</caption>
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <HeaderCell key={column.id} {...column} order={order} onOrder={onOrder} />
            ))}
            <th scope="col" className="cell-actions">
              <span className="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        {models.slice(0, limit).map((model) => (
          <ModelRow key={model.model_id} model={model} server={servers.get(model.model_id)} />
        ))}
      </table>
      {models.length > limit && (
        <More left={models.length - limit} onMore={() => setGrown({ question, limit: limit + STEP })} />
      )}
    </>
  );
}

interface HeaderProps {
  id: ColumnId;
  label: string;
  title: string;
  order: Order;
  onOrder: (order: Order) => void;
}

function HeaderCell({ id, label, title, order, onOrder }: HeaderProps) {
  const active = order.by === id;
  const sorted = active ? (order.descending ? "descending" : "ascending") : "none";
  return (
    <th scope="col" className={`cell-${id}`} aria-sort={sorted}>
      <button
        type="button"
        className="sort"
        title={title}
        onClick={() => onOrder({ by: id, descending: active && !order.descending })}
      >
        {label}
        <span className="sort-mark" aria-hidden="true">
          {active ? (order.descending ? "↓" : "↑") : ""}
        </span>
      </button>
    </th>
  );
}

/** Asks for more rows when it comes near the screen, or when pressed. */
function More({ left, onMore }: { left: number; onMore: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!button.current || !("IntersectionObserver" in window)) return;
    const observer = new IntersectionObserver(
      (seen) => seen.some((entry) => entry.isIntersecting) && onMore(),
      { rootMargin: "1200px" },
    );
    observer.observe(button.current);
    return () => observer.disconnect();
  }, [onMore]);
  return (
    <button ref={button} type="button" className="button more" onClick={onMore}>
      Show more ({left} left)
    </button>
  );
}
