import { useDeferredValue, useMemo, useState } from "react";
import { Banner } from "../components/banner";
import { useChangeAnnouncements } from "../features/models/changes";
import { Empty } from "../features/models/empty";
import { thatFit } from "../features/models/fits";
import { useLive } from "../features/models/live";
import { ModelTable } from "../features/models/model-table";
import { found, type Order, ordered } from "../features/models/order";
import { type Fleet, useFleet } from "../features/models/queries";
import { byModel } from "../features/models/replicas";
import { SearchAndSort } from "../features/models/search";
import { Skipped } from "../features/models/skipped";
import { Announcement, Toolbar } from "../features/models/toolbar";
import { ConnectionBanner, EngineBanner } from "../features/system/banners";
import { useSystem } from "../features/system/queries";
import type { System } from "../lib/api";
import { Masthead } from "./masthead";

export function ModelManagement() {
  useLive();
  const system = useSystem();
  const refreshSeconds = system.data?.refresh_seconds ?? 30;
  const fleet = useFleet(refreshSeconds);
  const registry = fleet.data?.registry;
  useChangeAnnouncements(registry?.models);
  return (
    <>
      <Masthead system={system.data} models={registry?.models} />
      <main>
        <ConnectionBanner failure={fleet.error} />
        <EngineBanner system={system.data} />
        {registry?.notices.map((notice) => (
          <Banner key={notice} tone="warn" title={notice} />
        ))}
        {fleet.data && <Models fleet={fleet.data} system={system.data} />}
        {fleet.isPending && <p className="looking">Asking the control plane…</p>}
      </main>
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
      <Announcement />
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
