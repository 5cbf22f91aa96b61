import { createStore } from "./store";

export type Theme = "system" | "light" | "dark";

export const THEMES: Theme[] = ["system", "light", "dark"];

// `public/assets/theme.js` reads the same name before the first paint.
const NAME = "synapse-theme";

/** What the person chose; `system` follows the browser. */
export const theme = createStore<Theme>(kept());

/** Shows it at once and keeps it in this browser. */
export function chooseTheme(chosen: Theme): void {
  theme.set(chosen);
  if (chosen === "system") {
    localStorage.removeItem(NAME);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(NAME, chosen);
    document.documentElement.dataset.theme = chosen;
  }
}

function kept(): Theme {
  const name = localStorage.getItem(NAME);
  return name === "light" || name === "dark" ? name : "system";
}
