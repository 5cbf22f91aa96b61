import { useMemo } from "react";
import { Dialog } from "../../../components/dialog";
import { Tabs } from "../../../components/tabs";
import type { Model } from "../../../lib/api";
import { useFleet } from "../../../lib/fleet";
import { byModel, type Together } from "../../../lib/replicas";
import { closeDetails, type Details, openDetails, type Tab } from "../details";
import { Head } from "./head";
import { LogTab } from "./log-tab";
import { NamesTab } from "./names-tab";
import { Overview } from "./overview";
import { SettingsTab } from "./settings-tab";
import { UseTab } from "./use-tab";
import "../../../components/words.css";
import "./drawer.css";

const LABELS: { value: Tab; label: string }[] = [
  { value: "overview", label: "Overview" },
  { value: "settings", label: "Settings" },
  { value: "names", label: "Names" },
  { value: "log", label: "Log" },
  { value: "use", label: "Use" },
];

/** Everything about one model, beside the table; on a phone over it. */
export default function Drawer({ modelId, tab }: Details) {
  const fleet = useFleet().data;
  const servers = useMemo(() => byModel(fleet?.list.servers ?? []), [fleet?.list]);
  const model = fleet?.registry.models.find(({ model_id }) => model_id === modelId);
  return (
    <Dialog open onClose={closeDetails} title={model?.display_name ?? modelId} shape="drawer">
      {model ? (
        <Opened model={model} server={servers.get(modelId)} tab={tab} />
      ) : (
        <p className="drawer-nothing">
          {fleet ? `There is no model ${modelId}.` : "Asking the control plane…"}
        </p>
      )}
    </Dialog>
  );
}

interface OpenedProps {
  model: Model;
  server: Together | undefined;
  tab: Tab;
}

function Opened({ model, server, tab }: OpenedProps) {
  return (
    <div className="drawer">
      <Head model={model} server={server} />
      <Tabs
        label={`Details of ${model.display_name}`}
        value={tab}
        tabs={LABELS}
        onPick={(picked) => openDetails(model.model_id, picked)}
      >
        {tab === "overview" && <Overview model={model} server={server} />}
        {tab === "settings" && <SettingsTab model={model} />}
        {tab === "names" && <NamesTab model={model} />}
        {tab === "log" && <LogTab model={model} />}
        {tab === "use" && <UseTab model={model} />}
      </Tabs>
    </div>
  );
}
