import type { QueryRecord } from "../../../lib/api";
import type { Answer } from "../conversation";

/** What a conversation keeps of a record. */
export function outcomeOf({
  status,
  answer,
  problem,
}: QueryRecord): Pick<Answer, "text" | "state" | "failure"> {
  const text = answer?.text ?? "";
  switch (status) {
    case "running":
      return { text, state: "asking", failure: null };
    case "done":
      return { text, state: "whole", failure: null };
    case "cancelled":
      return { text, state: "stopped", failure: null };
    case "failed": {
      const { error, detail } = problem ?? { error: "There is no answer", detail: "" };
      const next = "Ask again, or choose other models. What each turn says may tell why.";
      return { text, state: "failed", failure: { error, detail, next } };
    }
    case "interrupted": {
      const error = "The control plane ended before the answer did";
      return { text, state: "failed", failure: { error, detail: "", next: "Ask again." } };
    }
  }
}
