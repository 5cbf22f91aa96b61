import "./icon.css";

const PATHS = {
  search: "M10.5 10.5 14 14M11.5 7A4.5 4.5 0 1 1 2.5 7a4.5 4.5 0 0 1 9 0Z",
  sun: "M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7M11 8a3 3 0 1 1-6 0 3 3 0 0 1 6 0Z",
  moon: "M13.5 9.6A6 6 0 0 1 6.4 2.5 6 6 0 1 0 13.5 9.6Z",
  screen: "M2 3h12v8H2zM6 14h4M8 11v3",
  keys: "M2 4.5h12v7H2zM4.5 7h.01M7 7h.01M9.5 7h.01M11.8 7h.01M5 9.3h6",
  more: "M8 3.5h.01M8 8h.01M8 12.5h.01",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h8v8h-8zM10.5 5V2.5h-8v8H5",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing beside words, or on a button that has a name: silent either way. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
