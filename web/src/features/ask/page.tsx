import { lazy, Suspense, useEffect, useState } from "react";
import { Dialog } from "../../components/dialog";
import { useRoute } from "../../lib/router";
import { useStore } from "../../lib/store";
import { Conversations } from "./conversations";
import { KINDS, type Mode } from "./modes/kinds";
import { draft, followOtherTabs, shelf } from "./shelf";
import { Thread, useTargets } from "./thread";
import "./page.css";

const KeptQuery = lazy(() => import("./modes/kept-query"));

/** Questions to any model, and what it answers. */
export default function AskPage() {
  useEffect(followOtherTabs, []);
  const { query } = useRoute();
  const kept = useStore(shelf);
  const blank = useStore(draft);
  const recorded = Number(query.get("q")) || null;
  const conversation = kept.find(({ id }) => id === query.get("c")) ?? blank;
  const [listed, setListed] = useState(false);
  const list = <Conversations here={recorded === null ? conversation.id : null} query={recorded} />;
  return (
    <div className="ask-page">
      <aside className="ask-side">{list}</aside>
      <section className="ask-main" aria-labelledby="ask-title">
        <header className="ask-head">
          <h1 id="ask-title">{recorded === null ? conversation.title : "Question to a mode"}</h1>
          <button type="button" className="button ask-list-button" onClick={() => setListed(true)}>
            Conversations
          </button>
        </header>
        {recorded === null ? (
          <Thread
            key={conversation.id}
            conversation={conversation}
            wanted={query.get("model")}
            wantedMode={modeIn(query.get("mode"))}
          />
        ) : (
          <Recorded key={recorded} id={recorded} />
        )}
      </section>
      <Dialog open={listed} onClose={() => setListed(false)} title="Conversations" shape="drawer">
        {/* biome-ignore lint/a11y: whatever is chosen within closes the drawer; Escape does too */}
        <div
          className="ask-drawer"
          onClick={(event) => (event.target as Element).closest("a") && setListed(false)}
        >
          {list}
        </div>
      </Dialog>
    </div>
  );
}

function Recorded({ id }: { id: number }) {
  const { targets } = useTargets();
  return (
    <Suspense fallback={<p className="looking">Loading…</p>}>
      <KeptQuery id={id} targets={targets} />
    </Suspense>
  );
}

function modeIn(name: string | null): Mode | undefined {
  return KINDS.find(({ mode }) => mode === name)?.mode;
}
