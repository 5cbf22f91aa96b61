import { useDeferredValue, useMemo, useState } from "react";
import { Banner } from "../../components/banner";
import type { System } from "../../lib/api";
import { useFleet } from "../../lib/fleet";
import type { Fleet } from "../../lib/live";
import { byModel } from "../../lib/replicas";
import { useSystem } from "../../lib/system";
import { useChangeAnnouncements } from "./changes";
import { DetailsHost } from "./details-host";
import { Devices } from "./devices";
import { Empty } from "./empty";
import { EngineBanner } from "./engine-banner";
import { thatFit } from "./fits";
import { ModelTable } from "./model-table";
import { found, type Order, ordered } from "./order";
import { SearchAndSort } from "./search";
import { Skipped } from "./skipped";
import { Toolbar } from "./toolbar";

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
      <Devices devices={system.data?.devices ?? []} />
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
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<Order>({ by: "name", descending: false });
  const wanted = useDeferredValue(search);
  const { models } = registry;
  const servers = useMemo(() => byModel(list.servers), [list]);
  const shown = useMemo(
    () => ordered(found(models, wanted), order, servers),
    [models, wanted, order, servers],
  );
  const fitting = useMemo(() => thatFit(models, system?.devices ?? []), [models, system?.devices]);
  return (
    <>
      <div className="controls">
        <Toolbar models={models} fitting={fitting} />
        {models.length > 0 && (
          <SearchAndSort search={search} onSearch={setSearch} order={order} onOrder={setOrder} />
        )}
      </div>
      {models.length === 0 ? (
        <Empty registry={registry} />
      ) : (
        <ModelTable
          question={`${wanted}/${order.by}/${order.descending}`}
          models={shown}
          servers={servers}
          order={order}
          onOrder={setOrder}
        />
      )}
      {models.length > 0 && shown.length === 0 && <p className="looking">No model matches “{wanted}”.</p>}
      <Skipped registry={registry} />
    </>
  );
}
