import type { QueryClient } from "@tanstack/react-query";
import type { ComponentType } from "react";

/** Something that the command palette can do. */
export interface Action {
  /** What it does, in the words of the page: `START Qwen 7B (Q4_K_M)`. */
  label: string;
  /** Further words to find it by, and to tell it from its likes. */
  hint?: string;
  run: () => void;
}

/** A page of its own, with its place in the navigation and what it adds to the command palette. */
export interface Feature {
  /** Behind the `#/`; the home page's is empty. */
  path: string;
  /** The navigation's word, and the document's title. */
  label: string;
  /** After `g`, goes there. */
  key: string;
  load: () => Promise<{ default: ComponentType }>;
  /** Asked whenever the palette opens. Loaded by then, so that it costs the first load nothing. */
  actions?: () => Promise<{ listActions: (client: QueryClient) => Action[] }>;
}
