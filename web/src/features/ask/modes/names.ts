import { createContext, useContext } from "react";
import type { QueryRecord } from "../../../lib/api";
import type { Target } from "../targets";
import { played, type Role } from "./reading";
import type { Spoken } from "./record";

/** What a model's name is shown as; and what it does just now, where it does not run. */
export interface Names {
  labelOf: (model: string) => string;
  waitOf: (model: string) => string;
}

export function namesFrom(targets: Target[]): Names {
  const byName = new Map(targets.map((target) => [target.name, target]));
  return {
    labelOf: (model) => byName.get(model)?.label ?? model,
    waitOf: (model) => {
      const target = byName.get(model);
      return target && target.group !== "Running" && target.group !== "Whichever is best"
        ? "Waiting for the model to load…"
        : "Waiting…";
    },
  };
}

const NamesContext = createContext<Names>(namesFrom([]));

export const NamesProvider = NamesContext.Provider;

export const useNames = (): Names => useContext(NamesContext);

const ROLES: Record<Role, string> = {
  answer: "Answer",
  draft: "Draft",
  refine: "Refined",
  review: "Review",
  synthesis: "Synthesis",
  pro: "PRO",
  con: "CON",
  moderator: "Moderator",
};

export const roleWords = (role: Role): string => ROLES[role];

/** Who speaks in a turn, without the model: `B`, `PRO · Optimist`, `Draft`; empty where the model is all. */
export function speakerOf(record: QueryRecord, turn: Pick<Spoken, "member" | "role">): string {
  const persona = record.players.find(({ member }) => member === turn.member)?.persona;
  if (turn.role === "synthesis") return "Synthesis";
  switch (played(record)) {
    case "council":
      return turn.member;
    case "debate":
      return persona ? `${turn.member} · ${persona}` : ROLES[turn.role];
    case "two_stage":
      return ROLES[turn.role];
    default:
      return "";
  }
}
