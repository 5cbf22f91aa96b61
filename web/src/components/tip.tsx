import * as Radix from "@radix-ui/react-tooltip";
import type { ReactElement } from "react";
import "./tip.css";

/** A few words on what a thing is, while it is pointed at or has the focus. Never the only place that says it. */
export function Tip({ text, children }: { text: string; children: ReactElement }) {
  return (
    <Radix.Provider delayDuration={350}>
      <Radix.Root>
        <Radix.Trigger asChild>{children}</Radix.Trigger>
        <Radix.Portal>
          <Radix.Content className="tip" sideOffset={5} collisionPadding={8}>
            {text}
          </Radix.Content>
        </Radix.Portal>
      </Radix.Root>
    </Radix.Provider>
  );
}
