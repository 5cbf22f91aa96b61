import type { Server, Status } from "./api";

/** A model is what the first of these is that one of its servers is. */
const FIRST_TO_SPEAK: Status[] = [
  "running",
  "starting",
  "queued",
  "stopping",
  "backoff",
  "failed",
  "stopped",
];

/** A model's servers as one; `running` is how many of them run. */
export type Together = Server & { running?: number };

/** What is shown of a model with one server or several: the one that speaks for it, with what all of them take. */
export function together(replicas: [Server, ...Server[]]): Together {
  const [speaker] = [...replicas].sort((a, b) => rank(a) - rank(b) || a.replica - b.replica) as [Server];
  return {
    ...speaker,
    memory_used_mb: sum(replicas.map((replica) => replica.memory_used_mb)),
    memory_private_mb: sum(replicas.map((replica) => replica.memory_private_mb)),
    active_requests: sum(replicas.map((replica) => replica.active_requests)),
    running: replicas.filter(({ status }) => status === "running").length,
  };
}

/** Each model's servers, by its id. */
export function byModel(servers: Server[]): ReadonlyMap<string, Together> {
  const replicas = new Map<string, [Server, ...Server[]]>();
  for (const server of servers) {
    const others = replicas.get(server.model_id);
    if (others) others.push(server);
    else replicas.set(server.model_id, [server]);
  }
  return new Map([...replicas].map(([modelId, several]) => [modelId, together(several)]));
}

/** What tells one server from every other. */
export const serverKey = ({ model_id, replica }: { model_id: string; replica: number }) =>
  `${model_id}#${replica}`;

const rank = ({ status }: Server) => FIRST_TO_SPEAK.indexOf(status);

const sum = (sizes: number[]) => sizes.reduce((total, size) => total + size, 0);
