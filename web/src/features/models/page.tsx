import { useDeferredValue, useEffect, useMemo, useRef } from "react";
import { Banner } from "../../components/banner";
import type { System } from "../../lib/api";
import { useFleet } from "../../lib/fleet";
import { useKeys } from "../../lib/keys";
import type { Fleet } from "../../lib/live";
import { byModel } from "../../lib/replicas";
import { useSystem } from "../../lib/system";
import { useChangeAnnouncements } from "./changes";
import { DetailsHost } from "./details-host";
import { Empty } from "./empty";
import { EngineBanner } from "./engine-banner";
import { Fates } from "./fates-panel";
import { FilterBar } from "./filter-bar";
import { isFiltered, NO_FILTERS, passing } from "./filters";
import { thatFit } from "./fits";
import { found } from "./found";
import { MemoryBar } from "./memory-bar";
import { ModelTable } from "./model-table";
import { ordered } from "./order";
import { shownIds } from "./selection";
import { SelectionBar } from "./selection-bar";
import { Skipped } from "./skipped";
import { useSpeeds } from "./speeds";
import { useSteady } from "./steady";
import { Toolbar } from "./toolbar";
import { useView } from "./use-view";
import "./dock.css";

export default function ModelsPage() {
  const system = useSystem();
  const fleet = useFleet();
  const registry = fleet.data?.registry;
  useChangeAnnouncements(registry?.models);
  return (
    <>
      <h1 className="unseen">Models</h1>
      <EngineBanner system={system.data} />
      {registry?.notices.map((notice) => (
        <Banner key={notice} tone="warn" title={notice} />
      ))}
      <MemoryBar
        devices={system.data?.devices ?? []}
        models={registry?.models ?? []}
        servers={fleet.data?.list.servers ?? []}
      />
      {fleet.data && <Models fleet={fleet.data} system={system.data} />}
      <DetailsHost />
      {fleet.isPending && <p className="looking">Asking the control plane…</p>}
    </>
  );
}

interface ModelsProps {
  fleet: Fleet;
  system: System | undefined;
}

function Models({ fleet: { registry, list }, system }: ModelsProps) {
  const { models } = registry;
  const devices = system?.devices ?? [];
  const servers = useMemo(() => byModel(list.servers), [list]);
  const fitting = useMemo(() => thatFit(models, system?.devices ?? []), [models, system?.devices]);
  return (
    <>
      <Toolbar models={models} fitting={fitting} />
      {models.length === 0 ? <Empty registry={registry} /> : <Listed models={models} servers={servers} />}
      <Skipped registry={registry} />
      <div className="dock">
        <Fates models={models} servers={servers} />
        <SelectionBar models={models} devices={devices} />
      </div>
    </>
  );
}

interface ListedProps {
  models: Fleet["registry"]["models"];
  servers: ReturnType<typeof byModel>;
}

/** The models that are asked for, in the order that is asked for. */
function Listed({ models, servers }: ListedProps) {
  const [view, change] = useView();
  const speeds = useSpeeds();
  const field = useRef<HTMLInputElement>(null);
  useKeys([{ keys: "/", words: "Search the models", run: () => field.current?.focus() }]);

  // What is typed shows at once; the rows follow.
  const { search, filters, order } = useDeferredValue(view);
  const inOrder = useMemo(
    () => ordered(models, order, { servers, speeds }),
    [models, order, servers, speeds],
  );
  const matching = useMemo(() => found(inOrder, search), [inOrder, search]);
  const wanted = useMemo(() => passing(matching, filters), [matching, filters]);
  const question = JSON.stringify({ search, filters, order });
  const { rows, hold } = useSteady(wanted, models, question);
  useEffect(() => shownIds.set(rows.map(({ model_id }) => model_id)), [rows]);

  const clear = () => change({ search: "", filters: NO_FILTERS });
  return (
    <>
      <FilterBar
        models={matching}
        total={models.length}
        shown={rows.length}
        view={view}
        onChange={change}
        field={field}
      />
      <ModelTable
        models={rows}
        servers={servers}
        speeds={speeds}
        order={order}
        onOrder={(next) => change({ order: next })}
        onHold={hold}
      />
      {rows.length === 0 && <NoMatch search={search} isFiltered={isFiltered(filters)} onClear={clear} />}
    </>
  );
}

interface NoMatchProps {
  search: string;
  isFiltered: boolean;
  onClear: () => void;
}

function NoMatch({ search, isFiltered: alsoFiltered, onClear }: NoMatchProps) {
  const what = search ? `No model matches “${search}”` : "No model passes the filters";
  return (
    <div className="looking">
      <p>
        {what}
        {search && alsoFiltered ? " and the filters." : "."}
      </p>
      <p>
        <button type="button" className="button" onClick={onClear}>
          Show all models
        </button>
      </p>
    </div>
  );
}
