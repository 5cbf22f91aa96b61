import { topOf } from "../../components/plot";

/** A point that has a name, in pixels; its circle reaches `radius` from it. */
export interface Spot {
  x: number;
  y: number;
  radius: number;
  words: string;
}

/** Where a name is written, and how it hangs on its place. */
export interface Label {
  x: number;
  y: number;
  anchor: "start" | "middle" | "end";
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const CHARACTER = 6.6;
const LINE = 14;
const GAP = 5;

/** Marks from 0 up to a round number that is not below the greatest value; four to seven of them. */
export function ticksOf(greatest: number): number[] {
  const top = topOf([greatest]);
  const leading = top / 10 ** Math.floor(Math.log10(top) + 1e-9);
  const steps = Math.round(leading) === 2 ? 4 : 5;
  const ticks = Array.from({ length: steps + 1 }, (_, index) => (top / steps) * index);
  const needed = ticks.findIndex((tick) => tick >= greatest * (1 - 1e-9));
  return ticks.slice(0, Math.max(2, needed + 1)).map((tick) => Number(tick.toPrecision(12)));
}

/** A circle whose area says how much: the greatest has `most` for its radius. */
export function radiusOf(value: number | null, greatest: number, most: number): number {
  if (value === null || greatest <= 0) return most / 3;
  return Math.max(most / 5, most * Math.sqrt(value / greatest));
}

/** Names beside their points, wherever none is in the way: best of no point and no name, else of no name. */
export function placeLabels(spots: Spot[], width: number, height: number): Label[] {
  const circles: Box[] = spots.map(({ x, y, radius }) => around(x, y, radius));
  const names: Box[] = [];
  return spots.map((spot, own) => {
    const places = placesOf(spot);
    const inside = places.filter(({ box }) => isWithin(box, width, height));
    const readable = inside.filter(({ box }) => !names.some((name) => meet(name, box)));
    const free = readable.find(({ box }) => !circles.some((circle, at) => at !== own && meet(circle, box)));
    const chosen = free ?? readable[0] ?? inside[0] ?? places[0];
    names.push(chosen.box);
    return chosen.label;
  });
}

type Place = { label: Label; box: Box };

/** Right, left, above, below; then what ends or begins at the point. */
function placesOf({ x, y, radius, words }: Spot): [Place, ...Place[]] {
  const length = words.length * CHARACTER;
  const away = radius + GAP;
  const [above, beside, below] = [y - away, y + 4, y + away + LINE * 0.75];
  const place = (at: number, base: number, anchor: Label["anchor"]): Place => {
    const left = anchor === "start" ? at : anchor === "end" ? at - length : at - length / 2;
    return {
      label: { x: at, y: base, anchor },
      box: { left, right: left + length, top: base - LINE * 0.75, bottom: base + LINE * 0.25 },
    };
  };
  return [
    place(x + away, beside, "start"),
    place(x - away, beside, "end"),
    place(x, above, "middle"),
    place(x, below, "middle"),
    place(x + radius, above, "end"),
    place(x + radius, below, "end"),
    place(x - radius, above, "start"),
    place(x - radius, below, "start"),
    place(x, below + LINE, "middle"),
    place(x + radius, below + LINE, "end"),
  ];
}

function around(x: number, y: number, radius: number): Box {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

function isWithin({ left, right, top, bottom }: Box, width: number, height: number): boolean {
  return left >= 0 && right <= width && top >= 0 && bottom <= height;
}

function meet(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
