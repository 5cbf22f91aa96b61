import { type FocusEvent, Fragment, useMemo, useRef, useState } from "react";
import type { Model } from "../../lib/api";
import type { Together } from "../../lib/replicas";
import { useStore } from "../../lib/store";
import { useSwitch } from "./actions";
import { COLUMNS, type ColumnId } from "./columns";
import { useDetails } from "./details";
import { ModelRow } from "./model-row";
import type { Order } from "./order";
import { isAll, selection, selectShown } from "./selection";
import { useRows } from "./use-rows";
import { useWalking } from "./walking";
import "./model-table.css";
import "./model-row.css";
import "./model-table-narrow.css";

interface TableProps {
  models: Model[];
  servers: ReadonlyMap<string, Together>;
  speeds: ReadonlyMap<string, number>;
  order: Order;
  onOrder: (order: Order) => void;
  /** Whether somebody is at the rows, so that none should move. */
  onHold: (how: "pointer" | "keys", isSo: boolean) => void;
}

/** Every model given, in the order given; built are only those near the screen. */
export function ModelTable({ models, servers, speeds, order, onOrder, onHold }: TableProps) {
  const table = useRef<HTMLTableElement>(null);
  const [focused, setFocused] = useState<string | null>(null);
  // The row that the details came from is there to take the focus back.
  const opened = useDetails()?.modelId ?? null;
  const kept = useMemo(() => [focused, opened].filter((id) => id !== null), [focused, opened]);
  const rows = useRows(table, models, kept);
  const onKeyDown = useWalking({ table, models, rows, onSwitch: useSwitch() });
  const onFocus = (event: FocusEvent) => {
    setFocused(event.target.closest<HTMLElement>("[data-model]")?.dataset.model ?? null);
    onHold("keys", event.target.matches(":focus-visible"));
  };
  const onBlur = () => {
    setFocused(null);
    onHold("keys", false);
  };
  const items = rows.getVirtualItems();
  let reached = rows.options.scrollMargin;
  return (
    <table
      ref={table}
      className="models"
      aria-rowcount={models.length + 1}
      onKeyDown={onKeyDown}
      onFocus={onFocus}
      onBlur={onBlur}
      onPointerEnter={(event) => onHold("pointer", event.pointerType === "mouse")}
      onPointerLeave={() => onHold("pointer", false)}
    >
      <caption className="unseen">Models</caption>
      <Head models={models} order={order} onOrder={onOrder} />
      {items.map((item) => {
        const model = models[item.index];
        const gapPx = item.start - reached;
        reached = item.end;
        return (
          model && (
            <Fragment key={item.key}>
              <Gap heightPx={gapPx} />
              <ModelRow
                model={model}
                index={item.index}
                server={servers.get(model.model_id)}
                speed={speeds.get(model.model_id)}
                measure={rows.measureElement}
              />
            </Fragment>
          )
        );
      })}
      <Gap heightPx={rows.getTotalSize() - (reached - rows.options.scrollMargin)} />
    </table>
  );
}

/** In the place of rows that are not built. */
function Gap({ heightPx }: { heightPx: number }) {
  if (heightPx <= 0) return null;
  return (
    <tbody className="gap" aria-hidden="true">
      <tr>
        <td style={{ blockSize: heightPx }} />
      </tr>
    </tbody>
  );
}

function Head({ models, order, onOrder }: Pick<TableProps, "models" | "order" | "onOrder">) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        <th scope="col" className="cell-mark">
          <MarkAll models={models} />
        </th>
        {COLUMNS.map((column) => (
          <HeaderCell key={column.id} {...column} order={order} onOrder={onOrder} />
        ))}
        <th scope="col" className="cell-actions">
          <span className="unseen">Actions</span>
        </th>
      </tr>
    </thead>
  );
}

function MarkAll({ models }: { models: Model[] }) {
  const { ids } = useStore(selection);
  const all =
    ids.size > 0 &&
    isAll(
      ids,
      models.map(({ model_id }) => model_id),
    );
  return (
    <label className="mark">
      <input
        type="checkbox"
        aria-label="Select all that are shown"
        checked={all}
        ref={(box) => {
          if (box) box.indeterminate = ids.size > 0 && !all;
        }}
        onChange={selectShown}
      />
    </label>
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
