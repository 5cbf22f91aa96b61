import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { Toasts } from "../components/toasts";
import { useFleet } from "../lib/fleet";
import { hearKeys, useKeys } from "../lib/keys";
import { useLive } from "../lib/live";
import { go, useRoute } from "../lib/router";
import { undoLast } from "../lib/toasts";
import { ConnectionBanner } from "./connection-banner";
import { FEATURES } from "./features";
import { KeyDialog } from "./key-dialog";
import { KeysDialog } from "./keys-dialog";
import { Mishap } from "./mishap";
import { useReturnNotice } from "./return-notice";
import { TopBar } from "./top-bar";

const PAGES = FEATURES.map((feature) => ({ feature, Page: lazy(feature.load) }));
const Palette = lazy(() => import("./palette"));

type Opened = "palette" | "keys" | null;

/** What stands around every page: navigation, connection, messages, keys, the command palette. */
export function App() {
  useLive();
  useReturnNotice();
  const { path } = useRoute();
  const here = PAGES.find(({ feature }) => feature.path === path);
  const [opened, setOpened] = useState<Opened>(null);
  const close = () => setOpened(null);
  const main = useRef<HTMLElement>(null);
  const { error } = useFleet();
  useGlobalKeys(setOpened);
  useArrival(here?.feature.label ?? "Nothing here", path, main);
  return (
    <>
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <TopBar path={path} onPalette={() => setOpened("palette")} onKeys={() => setOpened("keys")} />
      <main ref={main} tabIndex={-1}>
        <ConnectionBanner failure={error} />
        <Mishap key={path}>
          <Suspense fallback={<p className="looking">Opening…</p>}>
            {here ? <here.Page /> : <NotHere />}
          </Suspense>
        </Mishap>
      </main>
      <Toasts />
      <KeyDialog />
      <KeysDialog open={opened === "keys"} onClose={close} />
      {opened === "palette" && (
        <Suspense fallback={null}>
          <Palette onClose={close} onKeys={() => setOpened("keys")} />
        </Suspense>
      )}
    </>
  );
}

function useGlobalKeys(open: (what: Opened) => void): void {
  useEffect(hearKeys, []);
  useKeys([
    { keys: "mod+k", words: "Every action and page", run: () => open("palette") },
    { keys: "?", words: "These keys", run: () => open("keys") },
    { keys: "z", words: "Take back the last thing", run: undoLast },
    ...FEATURES.map(({ path, label, key }) => ({ keys: `g ${key}`, words: label, run: () => go(path) })),
  ]);
}

/** On another page: the document's title, and the focus at its beginning. */
function useArrival(label: string, path: string, main: React.RefObject<HTMLElement | null>): void {
  const before = useRef(path);
  useEffect(() => {
    document.title = `${label} · Synapse Engine`;
    if (before.current === path) return;
    before.current = path;
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [label, path, main]);
}

function NotHere() {
  return (
    <section className="not-here">
      <h1>There is no such page</h1>
      <p>
        <a href="#/">Back to the models</a>
      </p>
    </section>
  );
}
