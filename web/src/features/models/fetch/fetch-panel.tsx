import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Press } from "../../../components/press";
import { refusalOf } from "../../../lib/http";
import { useDownloads } from "./downloads";
import { Downloads } from "./downloads-list";
import { Offers } from "./offers";
import { wire } from "./wire";
import "../../../components/words.css";
import "./fetch.css";

/** Small and well known; the smallest first, as it is here soonest. */
const SUGGESTIONS: { repo: string; words: string }[] = [
  { repo: "Qwen/Qwen2.5-0.5B-Instruct-GGUF", words: "0.5 B: for any machine" },
  { repo: "Qwen/Qwen2.5-1.5B-Instruct-GGUF", words: "1.5 B: quick, and knows more" },
  { repo: "ggml-org/gemma-3-4b-it-GGUF", words: "4 B: sees pictures" },
];

interface PanelProps {
  /** The name to begin with; empty for none. */
  repo?: string;
  /** Told when the person goes on from here, to a model that has come. */
  onDone?: () => void;
}

/** A repository by name, what it offers and whether that fits, and everything that is being fetched. */
export function FetchPanel({ repo = "", onDone }: PanelProps) {
  const [typed, setTyped] = useState(repo);
  const [asked, setAsked] = useState(repo);
  const found = useQuery({
    queryKey: ["offers", asked],
    queryFn: ({ signal }) => wire.look(asked, signal),
    enabled: asked !== "",
    retry: false,
  });
  const downloads = useDownloads().data;
  function look(name: string): void {
    setTyped(name);
    if (name === asked) void found.refetch();
    else setAsked(name);
  }
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (typed.trim()) look(typed.trim());
  }
  return (
    <div className="fetch">
      <div>
        <form className="fetch-form" onSubmit={submit}>
          <input
            aria-label="Repository on Hugging Face"
            placeholder="org/repo, or a page's address"
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
          <button type="submit" className="button button-main" aria-disabled={typed.trim() === ""}>
            LOOK
          </button>
        </form>
        <div role="status">{found.isFetching && <p className="quiet">Looking at {asked}…</p>}</div>
        <div role="alert">{found.error && !found.isFetching && <Refusal failure={found.error} />}</div>
      </div>
      {asked === "" && <Suggestions onPick={look} />}
      {found.data && <Offers repository={found.data} downloads={downloads?.downloads ?? []} />}
      {downloads && <Downloads list={downloads} onDone={onDone} />}
    </div>
  );
}

function Suggestions({ onPick }: { onPick: (repo: string) => void }) {
  return (
    <ul className="fetch-suggestions" aria-label="To begin with">
      {SUGGESTIONS.map(({ repo, words }) => (
        <li key={repo}>
          <Press className="fetch-suggestion" available onPress={() => onPick(repo)}>
            {repo}
          </Press>{" "}
          <span className="quiet">{words}</span>
        </li>
      ))}
    </ul>
  );
}

function Refusal({ failure }: { failure: Error }) {
  const { error, detail } = refusalOf(failure);
  return (
    <p className="refusal">
      <strong>{error}</strong> {detail}
    </p>
  );
}
