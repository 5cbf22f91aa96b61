import { Dialog } from "../components/dialog";
import { bindings } from "../lib/keys";
import { useStore } from "../lib/store";
import "./keys-dialog.css";

/** What the keyboard can do here, besides Tab and Enter. */
export function KeysDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const known = useStore(bindings);
  return (
    <Dialog open={open} onClose={onClose} title="Keys">
      <dl className="keys">
        {known.map(({ keys, words }) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>
                  {key.replace("mod+", "Ctrl ").replace(/ (.)$/, (end) => end.toUpperCase())}
                </kbd>
              ))}
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Closes what is open</dd>
        </div>
      </dl>
    </Dialog>
  );
}
