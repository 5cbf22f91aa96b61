/** The table's columns, in order. */
export const COLUMNS = [
  { id: "enabled", label: "On", title: "Enabled: START ALL includes it, and a request may start it" },
  { id: "status", label: "Status", title: "What its server does now" },
  { id: "name", label: "Model", title: "Name" },
  { id: "family", label: "Family", title: "Family" },
  { id: "size", label: "Size", title: "Parameters" },
  { id: "quantization", label: "Quant", title: "Quantization" },
  { id: "tier", label: "Tier", title: "FAST, BALANCED or POWERFUL" },
  { id: "context", label: "Context", title: "Tokens: what was set, else what it was trained for" },
  { id: "memory", label: "Memory", title: "What it takes, or with ~ what it should take" },
  { id: "speed", label: "Speed", title: "Tokens per second, mean of the last day's answers" },
  { id: "port", label: "Port", title: "Blank is automatic; a number pins it" },
] as const;

export type ColumnId = (typeof COLUMNS)[number]["id"];
