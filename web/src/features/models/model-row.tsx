import { type MouseEvent, memo, type ReactNode } from "react";
import type { Model } from "../../lib/api";
import { contextWords, rateWords, sizeWords } from "../../lib/format";
import type { Together } from "../../lib/replicas";
import { isLaunchable } from "../../lib/status";
import { useStore } from "../../lib/store";
import { useChoice } from "./actions";
import { COLUMNS } from "./columns";
import { openDetails } from "./details";
import { Failure } from "./failure";
import { MemoryWords } from "./memory-words";
import { failureOf, notes } from "./notes";
import { contextOf } from "./order";
import { PortField } from "./port-field";
import { RowActions } from "./row-actions";
import { select, selection } from "./selection";
import { StatusWords } from "./status-words";
import { TierSelect } from "./tier-select";

interface RowProps {
  model: Model;
  /** Which row it is of all, from 0. */
  index: number;
  server: Together | undefined;
  speed: number | undefined;
  measure: (element: Element | null) => void;
}

/** One model: a line of the table, and below it whatever failed or was opened. On a phone, a card. */
export const ModelRow = memo(function ModelRow({ model, index, server, speed, measure }: RowProps) {
  const { model_id: modelId } = model;
  const isMarked = useStore(selection, ({ ids }) => ids.has(modelId));
  const answer = useStore(notes, (all) => all.answers[modelId]);
  const dismissedAt = useStore(notes, (all) => all.dismissed[modelId]);
  const failure = failureOf(model, answer, dismissedAt);
  const degraded = model.status === "running" ? server?.degraded : null;
  const rowIndex = index + 2;

  return (
    <tbody
      ref={measure}
      className="model"
      data-index={index}
      data-status={model.status}
      data-model={modelId}
      data-marked={isMarked}
    >
      <tr className="model-line" aria-rowindex={rowIndex}>
        <td className="cell-mark">
          <Mark model={model} isMarked={isMarked} />
        </td>
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
        <Fact of="context">{contextWords(contextOf(model))}</Fact>
        <Fact of="memory">
          <MemoryWords model={model} server={server} />
        </Fact>
        <Fact of="speed">{speed === undefined ? "–" : rateWords(speed)}</Fact>
        <Fact of="port">
          <PortField model={model} />
        </Fact>
        <td className="cell-actions">
          <RowActions model={model} />
        </td>
      </tr>
      {degraded && (
        <Below rowIndex={rowIndex}>
          <strong className="degraded">{degraded}</strong>
        </Below>
      )}
      {failure && (
        <Below rowIndex={rowIndex}>
          <Failure model={model} failure={failure} />
        </Below>
      )}
    </tbody>
  );
});

interface BelowProps {
  rowIndex: number;
  children: ReactNode;
}

/** Something of the same model, over the table's whole width. */
function Below({ rowIndex, children }: BelowProps) {
  return (
    <tr className="model-below" aria-rowindex={rowIndex}>
      <td colSpan={COLUMNS.length + 2}>{children}</td>
    </tr>
  );
}

function Fact({ of, children }: { of: (typeof COLUMNS)[number]["id"]; children: ReactNode }) {
  const label = COLUMNS.find((column) => column.id === of)?.label;
  return (
    <td className={`cell-fact cell-${of}`} data-label={label}>
      {children}
    </td>
  );
}

function Mark({ model, isMarked }: { model: Model; isMarked: boolean }) {
  // Not `change`, which does not say whether Shift was held.
  const onClick = (event: MouseEvent) => select(model.model_id, event.shiftKey);
  return (
    <label className="mark">
      <input
        type="checkbox"
        aria-label={`Select ${model.display_name}`}
        checked={isMarked}
        onChange={() => undefined}
        onClick={onClick}
      />
    </label>
  );
}

function EnabledBox({ model }: { model: Model }) {
  const { shown, choose } = useChoice(model, "enabled", model.enabled);
  return (
    <label className="tick">
      <input
        type="checkbox"
        className="toggle"
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
      <button
        type="button"
        className="name"
        title={model.model_id}
        aria-haspopup="dialog"
        onClick={() => openDetails(model.model_id)}
      >
        {model.display_name}
      </button>
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
