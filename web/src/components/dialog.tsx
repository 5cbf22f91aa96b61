import * as Radix from "@radix-ui/react-dialog";
import type { ReactNode } from "react";
import "./dialog.css";

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  /** `drawer` comes from the side and takes the whole height; `palette` sits high and hides its title. */
  shape?: "dialog" | "drawer" | "palette";
  children: ReactNode;
}

/** Over the page: takes the focus and gives it back, closes with Escape. */
export function Dialog({ open, onClose, title, shape = "dialog", children }: DialogProps) {
  return (
    <Radix.Root open={open} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="dialog-veil" data-shape={shape} />
        <Radix.Content className="dialog" data-shape={shape} aria-describedby={undefined}>
          <div className={shape === "palette" ? "unseen" : "dialog-head"}>
            <Radix.Title className="dialog-title">{title}</Radix.Title>
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
