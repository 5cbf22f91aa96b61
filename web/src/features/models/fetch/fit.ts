import type { Offer } from "./wire";

export interface Fit {
  fit: "well" | "tight" | "no";
  /** Beside the words, so that no colour is needed. */
  sign: string;
  words: string;
}

/** Whether this machine could fetch and run it, in words. */
export function fitOf({ fits, fits_now, fits_gpu, fits_disk }: Offer): Fit {
  if (!fits_disk) return { fit: "no", sign: "×", words: "no room on the disk" };
  if (!fits) return { fit: "no", sign: "×", words: "too large for this machine's memory" };
  if (fits_gpu === false) return { fit: "tight", sign: "~", words: "fits, but not into the GPU alone" };
  if (!fits_now) return { fit: "tight", sign: "~", words: "fits once others have stopped" };
  return { fit: "well", sign: "✓", words: fits_gpu ? "fits into the GPU" : "fits" };
}
