import { useMemo } from "react";
import type { Device, Model, Server } from "../../lib/api";
import { memoryWords } from "../../lib/format";
import { canStart } from "../../lib/status";
import { nameIn, type PlanWords, planWords } from "./plan-words";
import { deviceName, sharesOf, shareWords } from "./shares";
import { usePlan } from "./weighed";
import "./memory-bar.css";

interface MemoryProps {
  devices: Device[];
  models: Model[];
  servers: Server[];
}

/** Memory of this machine and of each GPU, and what it would be with the model whose START is pointed at. */
export function MemoryBar({ devices, models, servers }: MemoryProps) {
  const weighing = usePlan();
  const model = models.find(({ model_id }) => model_id === weighing?.modelId);
  const plan = model && canStart(model) ? weighing?.plan : undefined;
  const names = useMemo(() => new Map(models.map((one) => [one.model_id, one.display_name])), [models]);
  const words = model && plan ? planWords(model.display_name, plan, nameIn(names)) : null;
  return (
    <section className="memory" aria-label="Memory">
      <ul className="devices" aria-label="Devices">
        {devices.map((device) => (
          <DeviceBar
            key={device.name}
            device={device}
            servers={servers}
            neededMb={plan?.devices.find(({ name }) => name === device.name)?.needed_mb ?? 0}
            tone={words?.tone ?? null}
          />
        ))}
      </ul>
      <p className="memory-plan" data-tone={words?.tone} aria-live="polite">
        {words?.text ?? ""}
      </p>
    </section>
  );
}

interface DeviceProps {
  device: Device;
  servers: Server[];
  neededMb: number;
  tone: PlanWords["tone"] | null;
}

function DeviceBar({ device, servers, neededMb, tone }: DeviceProps) {
  const shares = sharesOf(device, servers);
  const percent = (sizeMb: number) => (device.total_mb > 0 ? (100 * sizeMb) / device.total_mb : 0);
  const promisedAt = percent(shares.usedMb);
  const otherAt = promisedAt + percent(shares.promisedMb);
  const freeAt = otherAt + percent(shares.otherMb);
  const full = shareWords(device, shares);
  return (
    <li title={full}>
      <span className="unseen">{full}</span>
      <span className="device-line" aria-hidden="true">
        <span className="device-name">{deviceName(device)}</span>
        <Share of="used" sizeMb={shares.usedMb} words="servers" />
        {shares.promisedMb >= 1 && <Share of="promised" sizeMb={shares.promisedMb} words="reserved" />}
        <Share of="other" sizeMb={shares.otherMb} words="not for servers" />
        <span className="device-free">
          {memoryWords(shares.freeMb)} free
          <span className="device-total"> of {memoryWords(device.total_mb)}</span>
        </span>
      </span>
      <svg className="device-bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect className="device-used" height="8" width={promisedAt} />
        <rect className="device-promised" height="8" x={promisedAt} width={percent(shares.promisedMb)} />
        <rect className="device-other" height="8" x={otherAt} width={percent(shares.otherMb)} />
        {neededMb > 0 && tone && (
          <rect
            className="device-needed"
            data-tone={tone}
            height="8"
            x={Math.min(freeAt, 100 - Math.min(100, percent(neededMb)))}
            width={Math.min(100, percent(neededMb))}
          />
        )}
      </svg>
    </li>
  );
}

function Share({ of, sizeMb, words }: { of: "used" | "promised" | "other"; sizeMb: number; words: string }) {
  return (
    <span className="device-share" data-of={of}>
      {memoryWords(sizeMb)} {words}
    </span>
  );
}
