/** Nothing is known yet, or nothing can be. */
export function Waiting({ error }: { error: Error | null }) {
  return <p className="section-note">{error ? error.message : "Asking the control plane…"}</p>;
}
