const NONE = "–";

/** Billions of parameters: `7.6 B`, `135 M`, `80 K`. */
export function sizeWords(billions: number | null): string {
  if (billions === null) return NONE;
  if (billions < 0.001) return `${Math.round(billions * 1_000_000)} K`;
  if (billions < 1) return `${Math.round(billions * 1000)} M`;
  return `${trimmed(billions, billions < 100 ? 1 : 0)} B`;
}

/** MB (10^6 bytes): `640 MB`, `4.2 GB`. */
export function memoryWords(megabytes: number | null): string {
  if (megabytes === null) return NONE;
  if (megabytes < 1000) return `${Math.round(megabytes)} MB`;
  return `${trimmed(megabytes / 1000, megabytes < 100_000 ? 1 : 0)} GB`;
}

/** Tokens, in the 1024s that model cards speak in: `32k`, `1M`; a plain number where that would lie. */
export function contextWords(tokens: number | null): string {
  if (tokens === null) return NONE;
  if (tokens % 1_048_576 === 0) return `${tokens / 1_048_576}M`;
  if (tokens % 1024 === 0) return `${tokens / 1024}k`;
  return tokens >= 10_000 ? `${Math.round(tokens / 1000)}k` : String(tokens);
}

/** Seconds in the two largest units that matter: `8 s`, `3 min`, `2 h 5 min`, `4 d 1 h`. */
export function durationWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(hours, "h", minutes % 60, "min");
  return joined(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** A share from 0 to 1. */
export function percentWords(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** A time that passes while one waits: `80 ms`, `1.2 s`, `2 min 5 s`. */
export function secondsWords(seconds: number | null): string {
  if (seconds === null) return NONE;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Tokens per second. */
export function rateWords(perSecond: number | null): string {
  if (perSecond === null) return NONE;
  return `${perSecond >= 100 ? Math.round(perSecond) : perSecond.toFixed(1)} t/s`;
}

/** The time of day; with the date where it was another day. */
export function timeWords(at: string, now = new Date()): string {
  const time = new Date(at);
  const clock = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return time.toDateString() === now.toDateString() ? clock : `${time.toLocaleDateString()} ${clock}`;
}

export function countWords(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.0$/, "");
}
