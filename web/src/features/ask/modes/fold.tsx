import { type ReactNode, useState } from "react";
import { countWords } from "../../../lib/format";
import "./fold.css";

interface Props {
  title: string;
  /** What is said of it while it is folded too. */
  aside?: string;
  notes?: number;
  isOpenAtFirst: boolean;
  children: ReactNode;
}

/** A part of how an answer came about. Whoever has opened or closed it finds it so. */
export function Fold({ title, aside = "", notes = 0, isOpenAtFirst, children }: Props) {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  return (
    <details className="fold" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>{title}</h2>
        {aside && <span className="fold-aside">{aside}</span>}
        {notes > 0 && <span className="fold-notes">{countWords(notes, "note")}</span>}
      </summary>
      {isOpen && <div className="fold-body">{children}</div>}
    </details>
  );
}
