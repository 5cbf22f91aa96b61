import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { AddFolder } from "../../components/folders/add-folder";
import { Looked } from "../../components/folders/looked";
import { Press } from "../../components/press";
import { TableBox } from "../../components/table-box";
import { api, type Device } from "../../lib/api";
import { memoryWords } from "../../lib/format";
import { retryMs } from "../../lib/http";
import { useSystem } from "../../lib/system";
import { controlPlaneFacts, engineName, type Fact, ownPathFacts } from "./facts";
import { Findings } from "./findings";
import { useTold } from "./queries";
import { copyReport } from "./report";
import { SettingsPart } from "./settings-part";
import { Upstreams } from "./upstreams";
import "../../components/bar.css";
import "./page.css";

export default function SystemPage() {
  const { data: system, error } = useSystem();
  useTold();
  return (
    <>
      <h1 className="unseen">System</h1>
      {system === undefined ? (
        <p className="section-note">{error ? error.message : "Asking the control plane…"}</p>
      ) : (
        <>
          <div className="bar">
            <Press available onPress={() => void copyReport()}>
              COPY REPORT
            </Press>
          </div>
          <div className="system-parts">
            <Part title="Findings">
              <Findings />
            </Part>
            <Part title="Control plane">
              <Facts facts={controlPlaneFacts(system)} />
            </Part>
            <Part title="Engines">
              <Engines />
            </Part>
            <Part title="Folders with models">
              <Looked skipped={[]} />
              <AddFolder />
            </Part>
            <Part title="Own files">
              <Facts facts={ownPathFacts(system)} />
            </Part>
            <Part title="Devices">
              <Devices devices={system.devices} />
            </Part>
            <Part title="Upstreams">
              <Upstreams />
            </Part>
            <Part title="Settings">
              <SettingsPart />
            </Part>
          </div>
        </>
      )}
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="system-part" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl className="system-facts">
      {facts.map(([term, value]) => (
        <div key={`${term} ${value}`}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Each engine that a model may name, with its version or with what is wrong with it. */
function Engines() {
  const { data, error } = useQuery({
    queryKey: ["engines"],
    queryFn: ({ signal }) => api.engines(signal),
    refetchInterval: ({ state }) => state.error !== null && retryMs(state.error),
  });
  if (data === undefined)
    return <p className="section-note">{error ? error.message : "Asking the control plane…"}</p>;
  return (
    <dl className="system-facts">
      {data.engines.map((engine) => (
        <div key={engineName(engine)}>
          <dt>{engineName(engine)}</dt>
          <dd>
            {engine.problem !== null && <p className="system-problem">{engine.problem}</p>}
            {engine.version && <p>{engine.version}</p>}
            {engine.path && <code>{engine.path}</code>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Devices({ devices }: { devices: Device[] }) {
  return (
    <TableBox label="Memory of each device">
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Memory</th>
            <th scope="col">For servers</th>
            <th scope="col">Held</th>
            <th scope="col">Free</th>
          </tr>
        </thead>
        <tbody>
          {devices.map(({ name, total_mb, limit_mb, reserved_mb, free_mb }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{memoryWords(total_mb)}</td>
              <td>{memoryWords(limit_mb)}</td>
              <td>{memoryWords(reserved_mb)}</td>
              <td>{memoryWords(free_mb)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
