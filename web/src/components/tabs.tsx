import * as Radix from "@radix-ui/react-tabs";
import type { ReactNode } from "react";
import "./tabs.css";

interface TabsProps<T extends string> {
  label: string;
  value: T;
  tabs: readonly { value: T; label: string }[];
  onPick: (value: T) => void;
  /** Of the tab that is open; the others' are not there. */
  children: ReactNode;
}

/** One of several views, with the arrows from one to the next. */
export function Tabs<T extends string>({ label, value, tabs, onPick, children }: TabsProps<T>) {
  return (
    <Radix.Root className="tabs" value={value} onValueChange={(picked) => onPick(picked as T)}>
      <Radix.List className="tab-list" aria-label={label}>
        {tabs.map((tab) => (
          <Radix.Trigger key={tab.value} className="tab" value={tab.value}>
            {tab.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
      <Radix.Content className="tab-content" value={value} tabIndex={-1}>
        {children}
      </Radix.Content>
    </Radix.Root>
  );
}
