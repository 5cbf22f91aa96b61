import type { ReactNode } from "react";
import "./plain-table.css";

/** What a table that is wider than its place scrolls in: with the keyboard too. */
export function TableBox({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="table-box" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
