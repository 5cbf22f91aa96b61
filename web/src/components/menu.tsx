import * as Radix from "@radix-ui/react-dropdown-menu";
import type { ReactElement, ReactNode } from "react";
import "./menu.css";

/** What opens at a button: its entries, with arrows, letters and Escape. */
export function Menu({ button, children }: { button: ReactElement; children: ReactNode }) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{button}</Radix.Trigger>
      {/* Beside the page's own content, so that whoever goes by landmarks finds it. */}
      <Radix.Portal container={document.querySelector("main")}>
        <Radix.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface EntryProps {
  onPick: () => void;
  available?: boolean;
  children: ReactNode;
}

export function MenuEntry({ onPick, available = true, children }: EntryProps) {
  return (
    <Radix.Item className="menu-entry" disabled={!available} onSelect={onPick}>
      {children}
    </Radix.Item>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onPick: (value: T) => void;
}

/** One of several, of which one is so now. */
export function MenuChoice<T extends string>({ label, value, options, onPick }: ChoiceProps<T>) {
  return (
    <>
      <Radix.Label className="menu-label">{label}</Radix.Label>
      <Radix.RadioGroup value={value} onValueChange={(picked) => onPick(picked as T)}>
        {options.map((option) => (
          <Radix.RadioItem key={option.value} className="menu-entry" value={option.value}>
            <span className="menu-mark">
              <Radix.ItemIndicator>●</Radix.ItemIndicator>
            </span>
            {option.label}
          </Radix.RadioItem>
        ))}
      </Radix.RadioGroup>
    </>
  );
}

interface ChecksProps<T extends string> {
  label: string;
  values: readonly T[];
  options: readonly { value: T; label: string; count: number }[];
  onTurn: (value: T) => void;
}

/** Any of several, each with how many there are. It stays open, so that more than one can be picked. */
export function MenuChecks<T extends string>({ label, values, options, onTurn }: ChecksProps<T>) {
  return (
    <Radix.Group aria-label={label}>
      {options.map((option) => (
        <Radix.CheckboxItem
          key={option.value}
          className="menu-entry"
          checked={values.includes(option.value)}
          onCheckedChange={() => onTurn(option.value)}
          onSelect={(event) => event.preventDefault()}
        >
          <span className="menu-mark">
            <Radix.ItemIndicator>✓</Radix.ItemIndicator>
          </span>
          {option.label}
          <span className="menu-count">{option.count.toLocaleString("en")}</span>
        </Radix.CheckboxItem>
      ))}
    </Radix.Group>
  );
}
