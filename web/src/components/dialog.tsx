import * as Radix from "@radix-ui/react-dialog";
import { type ReactNode, useRef } from "react";
import "./dialog.css";

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  /** `drawer` comes from the side and takes the whole height; `palette` sits high and hides its title. */
  shape?: "dialog" | "drawer" | "palette";
  /** Beside the title. */
  beside?: ReactNode;
  children: ReactNode;
}

/** Over the page: takes the focus and gives it back, closes with Escape. */
export function Dialog({ open, onClose, title, shape = "dialog", beside, children }: DialogProps) {
  const before = useRef<Element | null>(null);
  /** Radix gives it back to a trigger of its own only; here anything may have opened it. */
  function giveFocusBack(event: Event): void {
    event.preventDefault();
    const place = before.current?.isConnected ? before.current : document.querySelector("main");
    if (place instanceof HTMLElement) place.focus({ preventScroll: true });
  }
  return (
    <Radix.Root open={open} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="dialog-veil" data-shape={shape} />
        <Radix.Content
          className="dialog"
          data-shape={shape}
          aria-describedby={undefined}
          onOpenAutoFocus={() => {
            before.current = document.activeElement === document.body ? null : document.activeElement;
          }}
          onCloseAutoFocus={giveFocusBack}
        >
          <div className={shape === "palette" ? "unseen" : "dialog-head"}>
            <Radix.Title className="dialog-title">{title}</Radix.Title>
            {beside}
            {shape !== "palette" && (
              <Radix.Close className="button button-plain dialog-close" aria-label="Close">
                ×
              </Radix.Close>
            )}
          </div>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
