import { useMutation, useQueryClient } from "@tanstack/react-query";
import { AddFolder } from "../../../components/folders/add-folder";
import { Looked } from "../../../components/folders/looked";
import { Press } from "../../../components/press";
import type { Registry } from "../../../lib/api";
import { rescanning } from "../actions";
import { FetchPanel } from "../fetch/fetch-panel";
import "../../../components/words.css";
import "./first-run.css";

/** There is no model yet: fetch one, or say where some are. Whichever comes takes this page's place. */
export default function FirstRun({ registry }: { registry: Registry }) {
  const rescan = useMutation(rescanning(useQueryClient()));
  return (
    <div className="first-run">
      <header>
        <h2>No models yet</h2>
        <p>Any one of these brings some. They appear here by themselves, each with a START.</p>
      </header>
      <section className="first-step" aria-label="Fetch a model">
        <h3>Fetch one from Hugging Face</h3>
        <p className="quiet">Name a repository of GGUF files, or take one of these to begin with.</p>
        <FetchPanel />
      </section>
      <section className="first-step" aria-label="Add a folder">
        <h3>Or show where your models are</h3>
        <AddFolder />
      </section>
      <section className="first-step" aria-label="Where it looked">
        <h3>Where it looked</h3>
        <Looked skipped={registry.skipped} />
        <Press available={!rescan.isPending} onPress={() => rescan.mutate()}>
          LOOK AGAIN
        </Press>
      </section>
    </div>
  );
}
