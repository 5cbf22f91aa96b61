import { COLUMNS, type ColumnId } from "./columns";
import type { Order } from "./order";
import "./search.css";

interface SearchProps {
  search: string;
  onSearch: (search: string) => void;
  order: Order;
  onOrder: (order: Order) => void;
}

/** The search field; and where the table has no header to press, a choice of the order. */
export function SearchAndSort({ search, onSearch, order, onOrder }: SearchProps) {
  return (
    <div className="search">
      <input
        type="search"
        aria-label="Search models"
        placeholder="Search: name, tier, quant, status…"
        value={search}
        onChange={(event) => onSearch(event.target.value)}
      />
      <select
        className="search-order"
        aria-label="Sort by"
        value={order.by}
        onChange={(event) => onOrder({ by: event.target.value as ColumnId, descending: false })}
      >
        {COLUMNS.map(({ id, label }) => (
          <option key={id} value={id}>
            by {label.toLowerCase()}
          </option>
        ))}
      </select>
    </div>
  );
}
