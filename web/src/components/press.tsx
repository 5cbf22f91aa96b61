import type { ComponentProps } from "react";
import "./button.css";

interface Props extends Omit<ComponentProps<"button">, "disabled" | "onClick"> {
  available: boolean;
  onPress: () => void;
}

/** A button that keeps the keyboard's focus when it cannot be pressed just now. */
export function Press({ available, onPress, className = "", ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      className={`button ${className}`}
      aria-disabled={!available}
      onClick={() => available && onPress()}
    />
  );
}
