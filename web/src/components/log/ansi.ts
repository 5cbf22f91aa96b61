/** A stretch of a line in one style. `colour` is 0 to 7 in the terminal's order, null for the text's own. */
export interface Span {
  text: string;
  colour: number | null;
  bold: boolean;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal's codes begin with
const CODE = /\x1b\[([0-9;?]*)[ -/]*([@-~])/g;

/** A line without the codes for a terminal. */
export function plainOf(line: string): string {
  return line.replace(CODE, "");
}

/** A line as a terminal colours it; of the codes only colours and bold are heeded, the others are dropped. */
export function spansOf(line: string): Span[] {
  const spans: Span[] = [];
  let style: Omit<Span, "text"> = { colour: null, bold: false };
  let at = 0;
  for (const code of line.matchAll(CODE)) {
    push(spans, line.slice(at, code.index), style);
    at = code.index + code[0].length;
    if (code[2] === "m") style = styleAfter(style, code[1] ?? "");
  }
  push(spans, line.slice(at), style);
  return spans;
}

function push(spans: Span[], text: string, style: Omit<Span, "text">): void {
  if (text) spans.push({ text, ...style });
}

function styleAfter(style: Omit<Span, "text">, codes: string): Omit<Span, "text"> {
  let { colour, bold } = style;
  const numbers = codes.split(";").map(Number);
  for (let index = 0; index < numbers.length; index += 1) {
    const code = numbers[index] ?? 0;
    if (code === 0) [colour, bold] = [null, false];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code >= 30 && code <= 37) colour = code - 30;
    else if (code >= 90 && code <= 97) colour = code - 90;
    else if (code === 39) colour = null;
    // A colour out of 256, or out of all: its numbers are not codes of their own.
    else if (code === 38 || code === 48) index += numbers[index + 1] === 5 ? 2 : 4;
  }
  return { colour, bold };
}

/** Where the wanted text is in a line, in whichever case, and the text between. */
export function marked(text: string, wanted: string): { text: string; isMatch: boolean }[] {
  if (wanted === "") return [{ text, isMatch: false }];
  const parts: { text: string; isMatch: boolean }[] = [];
  const low = text.toLowerCase();
  let at = 0;
  for (;;) {
    const found = low.indexOf(wanted.toLowerCase(), at);
    const before = text.slice(at, found === -1 ? undefined : found);
    if (before) parts.push({ text: before, isMatch: false });
    if (found === -1) return parts;
    at = found + wanted.length;
    parts.push({ text: text.slice(found, at), isMatch: true });
  }
}
