import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { Press } from "../../components/press";
import type { Device, Model, Tier } from "../../lib/api";
import { memoryWords } from "../../lib/format";
import { canStart, canStop } from "../../lib/status";
import { useStore } from "../../lib/store";
import { enabling, startingAll } from "./actions";
import { stoppingSome, tiering } from "./bulk";
import { VALUES } from "./filters";
import { selection, selectNothing, selectShown, shownIds, weightOf } from "./selection";
import "./selection-bar.css";

/** What can be done to all that are marked. Over the page, so that nothing moves for it. */
export function SelectionBar({ models, devices }: { models: Model[]; devices: Device[] }) {
  const { ids } = useStore(selection);
  const shown = useStore(shownIds);
  const chosen = useMemo(() => models.filter(({ model_id }) => ids.has(model_id)), [models, ids]);
  if (chosen.length === 0) return null;
  const hidden = chosen.length - shown.filter((modelId) => ids.has(modelId)).length;
  return (
    <section className="selection" aria-label="Selected models">
      <p className="selection-words">
        <strong role="status">{chosen.length.toLocaleString("en")} selected</strong>
        {hidden > 0 && <span> ({hidden.toLocaleString("en")} not shown)</span>}
        <Weight chosen={chosen} devices={devices} />
      </p>
      <Actions chosen={chosen} />
    </section>
  );
}

function Actions({ chosen }: { chosen: Model[] }) {
  const client = useQueryClient();
  const start = useMutation(startingAll(client));
  const stop = useMutation(stoppingSome(client));
  const enable = useMutation(enabling(client));
  const tier = useMutation(tiering(client));
  const starts = chosen.filter(canStart);
  return (
    <div className="selection-actions">
      <Press
        className="button-main"
        aria-label="START selected"
        available={starts.length > 0 && !start.isPending}
        onPress={() => start.mutate(starts.map(({ model_id }) => model_id))}
      >
        START
      </Press>
      <Press
        aria-label="STOP selected"
        available={chosen.some(canStop) && !stop.isPending}
        onPress={() => stop.mutate(chosen)}
      >
        STOP
      </Press>
      <Press
        aria-label="Enable selected"
        available={chosen.some(({ enabled }) => !enabled) && !enable.isPending}
        onPress={() => enable.mutate({ enabled: true, models: chosen })}
      >
        Enable
      </Press>
      <Press
        aria-label="Disable selected"
        available={chosen.some(({ enabled }) => enabled) && !enable.isPending}
        onPress={() => enable.mutate({ enabled: false, models: chosen })}
      >
        Disable
      </Press>
      <TierChoice
        isBusy={tier.isPending}
        onPick={(value) =>
          tier.mutate({ models: chosen, tierOf: () => value, words: value?.toUpperCase() ?? "automatic" })
        }
      />
      <Press className="button-plain" available onPress={selectShown}>
        All shown
      </Press>
      <Press className="button-plain" aria-label="None: select nothing" available onPress={selectNothing}>
        None
      </Press>
    </div>
  );
}

function TierChoice({ isBusy, onPick }: { isBusy: boolean; onPick: (tier: Tier | null) => void }) {
  return (
    <select
      aria-label="Tier of selected"
      value=""
      disabled={isBusy}
      onChange={(event) => onPick(event.target.value === "auto" ? null : (event.target.value as Tier))}
    >
      <option value="" disabled>
        Tier…
      </option>
      <option value="auto">automatic</option>
      {VALUES.tier.map((tier) => (
        <option key={tier} value={tier}>
          {tier.toUpperCase()}
        </option>
      ))}
    </select>
  );
}

/** What those that do not run would take together, against what is free. */
function Weight({ chosen, devices }: { chosen: Model[]; devices: Device[] }) {
  const { memoryMb, unknown } = weightOf(chosen);
  if (memoryMb === 0 && unknown === 0) return null;
  const freeMb = devices.reduce((sum, { free_mb }) => sum + free_mb, 0);
  const isMore = devices.length > 0 && memoryMb > freeMb;
  const more = unknown > 0 ? `, ${unknown} unknown` : "";
  return (
    <span className="selection-weight" data-more={isMore}>
      Would take {memoryWords(memoryMb)}
      {more}
      {isMore ? `; only ${memoryWords(freeMb)} free` : `; ${memoryWords(freeMb)} free`}
    </span>
  );
}
