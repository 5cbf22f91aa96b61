import { useQuery } from "@tanstack/react-query";
import { CopyButton } from "../../../components/copy-button";
import { api, type Model } from "../../../lib/api";
import { refusalOf } from "../../../lib/http";
import type { Together } from "../../../lib/replicas";
import { Estimate } from "./estimate";
import { type Fact, howItIsBuilt, whatItIs, whereItIs } from "./facts";
import { LiveCharts } from "./live-charts";
import { usePlan } from "./plans";

/** What it does now, what it needs, and what its files say of it. */
export function Overview({ model, server }: { model: Model; server: Together | undefined }) {
  const { data: details, error } = useQuery({
    queryKey: ["details", model.model_id, model.file_path, model.file_size_mb],
    queryFn: ({ signal }) => api.details(model.model_id, signal),
  });
  const plan = usePlan(model, {});
  return (
    <div className="overview">
      <LiveCharts model={model} server={server} />
      <section className="drawer-part" aria-label="Memory of the model">
        <h3>Memory</h3>
        {plan.data && <Estimate model={model} plan={plan.data} />}
        {plan.error && <p className="refusal">{refusalOf(plan.error).error}</p>}
      </section>
      {error && <p className="refusal">{refusalOf(error).error}</p>}
      {details && (
        <div className="overview-facts">
          <Facts title="What it is" facts={whatItIs(details)} />
          <Facts title="How it is built" facts={howItIsBuilt(details)} />
          <Facts title="Files" facts={whereItIs(details)} />
        </div>
      )}
    </div>
  );
}

function Facts({ title, facts }: { title: string; facts: Fact[] }) {
  return (
    <section className="drawer-part">
      <h3>{title}</h3>
      <dl className="facts">
        {facts.map(({ term, value, isCode }) => (
          <div key={`${term} ${value}`}>
            <dt>{term}</dt>
            <dd>
              {isCode ? <code>{value}</code> : value}
              {isCode && <CopyButton label={`Copy ${term}`} text={value} />}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
