import type { System } from "../../lib/api";
import { memoryWords } from "../../lib/format";
import "./devices.css";

/** Memory of this machine and of each GPU: how much is taken. */
export function Devices({ devices }: { devices: System["devices"] }) {
  return (
    <ul className="devices" aria-label="Memory">
      {devices.map((device) => (
        <li key={device.name}>
          <span className="device-name">{device.kind === "ram" ? "RAM" : device.name}</span>
          <svg className="device-bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
            <rect className="device-taken" height="4" width={takenPercent(device)} />
          </svg>
          <span className="device-words">
            {memoryWords(device.free_mb)} of {memoryWords(device.total_mb)} free
          </span>
        </li>
      ))}
    </ul>
  );
}

function takenPercent({ total_mb, free_mb }: System["devices"][number]): number {
  if (total_mb <= 0) return 0;
  return Math.min(100, Math.max(0, 100 * (1 - free_mb / total_mb)));
}
