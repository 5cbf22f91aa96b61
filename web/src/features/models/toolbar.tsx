import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Press } from "../../components/press";
import type { Model } from "../../lib/api";
import { enabling, rescanning, startingAll, stoppingAll } from "./actions";
import { FetchButton } from "./fetch";
import { allThatFit } from "./fits";
import "./toolbar.css";

/** What is done to all models at once, and the line that says what came of it. */
export function Toolbar({ models, fitting }: { models: Model[]; fitting: Model[] }) {
  const client = useQueryClient();
  const startAll = useMutation(startingAll(client));
  const stopAll = useMutation(stoppingAll(client));
  const rescan = useMutation(rescanning(client));
  const enableAll = useMutation(enabling(client));
  return (
    <div className="toolbar" role="toolbar" aria-label="All models">
      <Press
        className="button-main"
        available={!startAll.isPending && models.length > 0}
        onPress={() => startAll.mutate(undefined)}
      >
        START ALL ENABLED
      </Press>
      <Press available={!stopAll.isPending} onPress={() => stopAll.mutate()}>
        STOP ALL SERVERS
      </Press>
      <Press
        title="Enable every model that fits into this machine's memory"
        available={!enableAll.isPending && fitting.length > 0}
        onPress={() => enableAll.mutate(allThatFit(models, fitting))}
      >
        ENABLE ALL
      </Press>
      <Press available={!rescan.isPending} onPress={() => rescan.mutate()}>
        RE-SCAN HUB
      </Press>
      <FetchButton />
    </div>
  );
}
