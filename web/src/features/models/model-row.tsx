import { memo } from "react";
import type { Model, Server } from "../../lib/api";
import { contextWords, sizeWords } from "../../lib/format";
import { isLaunchable } from "../../lib/status";
import { useStore } from "../../lib/store";
import { useChoice } from "./actions";
import { COLUMNS } from "./columns";
import { Failure } from "./failure";
import { MemoryWords } from "./memory-words";
import { failureOf, notes } from "./notes";
import { PortField } from "./port-field";
import { RowActions } from "./row-actions";
import { StatusWords } from "./status-words";
import { TierSelect } from "./tier-select";

interface RowProps {
  model: Model;
  server: Server | undefined;
}

/** One model: a line of the table, and below it whatever failed or was opened. On a phone, a card. */
export const ModelRow = memo(function ModelRow({ model, server }: RowProps) {
  const answer = useStore(notes, (all) => all.answers[model.model_id]);
  const dismissedAt = useStore(notes, (all) => all.dismissed[model.model_id]);
  const failure = failureOf(model, answer, dismissedAt);

  return (
    <tbody className="model" data-status={model.status} data-model={model.model_id}>
      <tr className="model-line">
        <td className="cell-enabled">
          <EnabledBox model={model} />
        </td>
        <td className="cell-status">
          <StatusWords model={model} server={server} />
        </td>
        <th scope="row" className="cell-name">
          <Name model={model} />
        </th>
        <Fact of="family">{model.family}</Fact>
        <Fact of="size">{sizeWords(model.size_b)}</Fact>
        <Fact of="quantization">{model.quantization ?? "–"}</Fact>
        <Fact of="tier">
          <TierSelect model={model} />
        </Fact>
        <Fact of="context">{contextWords(model.context_length)}</Fact>
        <Fact of="memory">
          <MemoryWords model={model} server={server} />
        </Fact>
        <Fact of="port">
          <PortField model={model} />
        </Fact>
        <td className="cell-actions">
          <RowActions model={model} />
        </td>
      </tr>
      {failure && (
        <tr className="model-below">
          <td colSpan={COLUMNS.length + 1}>
            <Failure model={model} failure={failure} />
          </td>
        </tr>
      )}
    </tbody>
  );
});

function Fact({ of, children }: { of: (typeof COLUMNS)[number]["id"]; children: React.ReactNode }) {
  const label = COLUMNS.find((column) => column.id === of)?.label;
  return (
    <td className={`cell-fact cell-${of}`} data-label={label}>
      {children}
    </td>
  );
}

function EnabledBox({ model }: { model: Model }) {
  const { shown, choose } = useChoice(model, "enabled", model.enabled);
  return (
    <label className="tick">
      <input
        type="checkbox"
        aria-label={`Enabled ${model.display_name}`}
        checked={shown ?? false}
        onChange={(event) => choose(event.target.checked)}
      />
      <span className="tick-word" aria-hidden="true">
        Enabled
      </span>
    </label>
  );
}

function Name({ model }: { model: Model }) {
  return (
    <>
      <span className="name" title={model.model_id}>
        {model.display_name}
      </span>
      {isLaunchable(model) ? (
        <span className="name-note" title={model.file_path}>
          {[model.kind === "chat" ? null : model.kind, ...model.capabilities, model.repo ?? fileName(model)]
            .filter(Boolean)
            .join(" · ")}
        </span>
      ) : (
        <span className="name-problem">
          {model.missing ? `File is gone: ${fileName(model)}` : model.problem}
        </span>
      )}
    </>
  );
}

function fileName(model: Model): string {
  return model.file_path.split(/[\\/]/).at(-1) ?? model.file_path;
}
