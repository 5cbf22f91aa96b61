import { useState } from "react";
import { CodeBlock } from "../../../components/code-block";
import type { Model } from "../../../lib/api";
import { Link } from "../../../lib/router";
import { useSystem } from "../../../lib/system";
import { AskBox } from "../ask-box";
import { namesOf, snippetsOf } from "./snippets";
import "./use.css";

/** A question at once, and the code to ask from elsewhere. */
export function UseTab({ model }: { model: Model }) {
  return (
    <div className="use-tab">
      {model.kind === "chat" && <Try model={model} />}
      <Snippets model={model} />
    </div>
  );
}

function Try({ model }: { model: Model }) {
  return (
    <section className="drawer-part">
      <h3>Try it</h3>
      {model.status === "running" ? (
        <AskBox model={model} takesFocus={false} />
      ) : (
        <p className="quiet">
          {model.enabled && !model.held
            ? "A request starts it; START does it now."
            : "START it first: requests do not, as long as it is not enabled or is held."}
        </p>
      )}
      <p>
        <Link className="drawer-link" to="ask" query={{ model: model.model_id }}>
          Talk to it on the Ask page
        </Link>
      </p>
    </section>
  );
}

function Snippets({ model }: { model: Model }) {
  const names = namesOf(model);
  const [chosen, setChosen] = useState(model.model_id);
  const name = names.some((one) => one.name === chosen) ? chosen : model.model_id;
  const system = useSystem().data;
  const needsKey = system?.api_key_required ?? false;
  return (
    <section className="drawer-part">
      <h3>From elsewhere</h3>
      {names.length > 1 && (
        <label className="settings-labelled">
          Ask for
          <select value={name} onChange={(event) => setChosen(event.target.value)}>
            {names.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name} ({one.note})
              </option>
            ))}
          </select>
        </label>
      )}
      {needsKey && (
        <p className="quiet">
          Put the key into the environment first: <code>export SYNAPSE_API_KEY=…</code>
        </p>
      )}
      {snippetsOf(model.kind, { origin: location.origin, name, needsKey }).map(
        ({ title, language, text }) => (
          <section key={title} className="snippet" aria-label={title}>
            <h4>{title}</h4>
            <CodeBlock language={language} text={text} copyLabel={`Copy ${title}`} />
          </section>
        ),
      )}
    </section>
  );
}
