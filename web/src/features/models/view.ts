import { COLUMNS } from "./columns";
import { FIELDS, type Field, type Filters, NO_FILTERS, VALUES } from "./filters";
import type { Order } from "./order";

/** What of the table is shown, and in which order. The address says it, so that it outlasts a reload and can be passed on. */
export interface View {
  search: string;
  filters: Filters;
  order: Order;
}

export const FIRST_ORDER: Order = { by: "name", descending: false };

export function viewOf(query: URLSearchParams): View {
  const filters = { ...NO_FILTERS };
  for (const field of FIELDS) Object.assign(filters, { [field]: knownIn(query.get(field), field) });
  return { search: query.get("q") ?? "", filters, order: orderIn(query.get("sort")) };
}

/** Every word of it, empty where it says nothing; `viewOf`'s other half. */
export function wordsOf({ search, filters, order }: View): Record<string, string> {
  const isFirst = order.by === FIRST_ORDER.by && !order.descending;
  return {
    q: search,
    ...Object.fromEntries(FIELDS.map((field) => [field, filters[field].join(",")])),
    sort: isFirst ? "" : `${order.descending ? "-" : ""}${order.by}`,
  };
}

function knownIn(words: string | null, field: Field): string[] {
  const wanted = words?.split(",") ?? [];
  return VALUES[field].filter((value) => wanted.includes(value));
}

function orderIn(word: string | null): Order {
  const column = COLUMNS.find(({ id }) => id === word?.replace(/^-/, ""));
  return column ? { by: column.id, descending: word?.startsWith("-") ?? false } : FIRST_ORDER;
}
