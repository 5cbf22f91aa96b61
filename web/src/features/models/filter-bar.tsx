import { type KeyboardEvent, type RefObject, useMemo } from "react";
import { Menu, MenuChecks } from "../../components/menu";
import type { Model } from "../../lib/api";
import { COLUMNS, type ColumnId } from "./columns";
import {
  type Counts,
  counted,
  type Field,
  type Flag,
  isFiltered,
  NO_FILTERS,
  turned,
  VALUES,
} from "./filters";
import type { View } from "./view";
import "./filter-bar.css";

const MENUS: { field: Exclude<Field, "only">; label: string }[] = [
  { field: "tier", label: "Tier" },
  { field: "kind", label: "Kind" },
  { field: "status", label: "Status" },
];
const FLAG_WORDS: Record<Flag, string> = {
  enabled: "Enabled",
  held: "Held",
  missing: "File gone",
  problem: "Problem",
};
const FLAG_TITLES: Record<Flag, string> = {
  enabled: "START ALL includes it, and a request may start it",
  held: "A person stopped it: requests do not start it",
  missing: "Its file is not there any more; its choices are kept",
  problem: "It cannot be launched",
};

interface FilterProps {
  /** Those that the search leaves. */
  models: Model[];
  total: number;
  shown: number;
  view: View;
  onChange: (change: Partial<View>) => void;
  field: RefObject<HTMLInputElement | null>;
}

/** What narrows the table down: words, menus and marks, and how many models they leave. */
export function FilterBar({ models, total, shown, view, onChange, field }: FilterProps) {
  const { search, filters, order } = view;
  const counts = useMemo(() => counted(models, filters), [models, filters]);
  const isNarrowed = search.trim() !== "" || isFiltered(filters);
  const clear = () => onChange({ search: "", filters: NO_FILTERS });
  const turn = (of: Field, value: string) => onChange({ filters: turned(filters, of, value) });
  function onKey(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.key !== "Escape") return;
    if (search === "") event.currentTarget.blur();
    else onChange({ search: "" });
    event.preventDefault();
  }
  return (
    <search className="filters">
      <input
        ref={field}
        type="search"
        aria-label="Search models"
        placeholder="Search: name, repo, quant, alias…"
        value={search}
        onChange={(event) => onChange({ search: event.target.value })}
        onKeyDown={onKey}
      />
      {MENUS.map((menu) => (
        <FilterMenu key={menu.field} {...menu} values={filters[menu.field]} counts={counts} onTurn={turn} />
      ))}
      {VALUES.only.map((flag) => (
        <Chip
          key={flag}
          flag={flag}
          isOn={filters.only.includes(flag)}
          count={counts.only.get(flag) ?? 0}
          onTurn={turn}
        />
      ))}
      <OrderSelect order={order} onChange={onChange} />
      <span className="filter-count">
        <span role="status">
          {isNarrowed && `${words(shown)} of `}
          {words(total)} {total === 1 ? "model" : "models"}
        </span>
        {isNarrowed && (
          <button type="button" className="button button-plain" onClick={clear}>
            Clear
          </button>
        )}
      </span>
    </search>
  );
}

interface MenuProps {
  field: Exclude<Field, "only">;
  label: string;
  values: readonly string[];
  counts: Counts;
  onTurn: (field: Field, value: string) => void;
}

function FilterMenu({ field, label, values, counts, onTurn }: MenuProps) {
  const options = VALUES[field].map((value) => ({
    value,
    label: value,
    count: counts[field].get(value) ?? 0,
  }));
  return (
    <Menu
      button={
        <button type="button" className="button filter-menu" data-on={values.length > 0}>
          {label}
          {values.length > 0 && <span className="filter-values">: {values.join(", ")}</span>}
          <span aria-hidden="true"> ▾</span>
        </button>
      }
    >
      <MenuChecks label={label} values={values} options={options} onTurn={(value) => onTurn(field, value)} />
    </Menu>
  );
}

interface ChipProps {
  flag: Flag;
  isOn: boolean;
  count: number;
  onTurn: (field: Field, value: string) => void;
}

/** What no model is now needs no mark to look for it; those that are enabled are always worth one. */
function Chip({ flag, isOn, count, onTurn }: ChipProps) {
  if (!isOn && count === 0 && flag !== "enabled") return null;
  return (
    <button
      type="button"
      className="button chip"
      data-flag={flag}
      aria-pressed={isOn}
      title={FLAG_TITLES[flag]}
      onClick={() => onTurn("only", flag)}
    >
      {FLAG_WORDS[flag]} <span className="chip-count">{words(count)}</span>
    </button>
  );
}

/** Where the table has no header to press. */
function OrderSelect({ order, onChange }: { order: View["order"]; onChange: FilterProps["onChange"] }) {
  return (
    <span className="filter-order">
      <select
        aria-label="Sort by"
        value={order.by}
        onChange={(event) => onChange({ order: { ...order, by: event.target.value as ColumnId } })}
      >
        {COLUMNS.map(({ id, label }) => (
          <option key={id} value={id}>
            by {label.toLowerCase()}
          </option>
        ))}
      </select>
      <button
        type="button"
        className="button button-icon"
        aria-label={order.descending ? "Sorted downwards" : "Sorted upwards"}
        onClick={() => onChange({ order: { ...order, descending: !order.descending } })}
      >
        {order.descending ? "↓" : "↑"}
      </button>
    </span>
  );
}

const words = (count: number) => count.toLocaleString("en");
