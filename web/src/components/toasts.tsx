import { useEffect, useState } from "react";
import { useStore } from "../lib/store";
import { type Toast, toasts, unsay } from "../lib/toasts";
import "./toasts.css";

const SHOWN_MS = 6000;
const SHOWN_WITH_UNDO_MS = 12_000;

/** What was said in passing. The list is always there, so that screen readers hear what comes into it. */
export function Toasts() {
  const shown = useStore(toasts);
  const [held, setHeld] = useState(false);
  return (
    <section
      className="toasts"
      aria-label="Messages"
      // A message lies above dialogs: to press one is not to leave the dialog below.
      onPointerDown={(event) => event.stopPropagation()}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {/* Its politeness is said aloud, because a dialog hides from screen readers all that does not say it. */}
      <div role="status" aria-live="polite" aria-relevant="additions">
        {shown.map((toast) => (
          <ShownToast key={toast.id} toast={toast} held={held} />
        ))}
      </div>
    </section>
  );
}

/** Goes by itself after a while, but never while somebody is at it. */
function ShownToast({ toast, held }: { toast: Toast; held: boolean }) {
  const { id, text, tone, undo } = toast;
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => unsay(id), undo ? SHOWN_WITH_UNDO_MS : SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, undo, held]);
  return (
    <div className="toast" data-tone={tone}>
      <p>{text}</p>
      {undo && (
        <button
          type="button"
          className="button"
          onClick={() => {
            unsay(id);
            undo.run();
          }}
        >
          {undo.label}
        </button>
      )}
      <button type="button" className="button button-plain" aria-label="Dismiss" onClick={() => unsay(id)}>
        ×
      </button>
    </div>
  );
}
