import type { QueueBounds } from "../batching/occupancy.ts";
import type { ReplicaSettings } from "./aspired-version.ts";
import type { PoolOptions } from "./instance-pool.ts";

/** How a node runs every replica that is not set otherwise. */
export interface NodeSettings {
  /** Sessions per replica. */
  readonly instanceCount: number;
  /** Threads of the runtime inside one operator, per session; 0 where they are found. */
  readonly intraOpThreads: number;
  /** Cores that sessions may use together: none has more threads. */
  readonly coreCount: number;
  readonly queue: QueueBounds;
}

/** How a replica is run on an execution provider: as it is set, and otherwise as the node is. */
export function poolSettings(
  settings: ReplicaSettings,
  executionProvider: string,
  { instanceCount, intraOpThreads, coreCount, queue }: NodeSettings,
): Pick<PoolOptions, "sessionThreads" | "queue" | "batching" | "defaultTimeoutMs"> {
  const { instanceGroups, batching } = settings;
  const groups = instanceGroups.filter((group) => ["", executionProvider].includes(group.executionProvider));
  const set = groups.flatMap(({ count, intraOpThreads: threads }) => Array<number>(count).fill(threads));
  const sessions = set.length > 0 ? set : Array<number>(instanceCount).fill(0);
  return {
    sessionThreads: sessions.map((threads) => Math.min(threads || intraOpThreads, coreCount)),
    batching,
    ...waitSettings(settings, { queue }),
  };
}

/** What a session has at most whose threads are found: the cores of the node, shared by the sessions of a replica. */
export function foundThreadsMax({
  coreCount,
  instanceCount,
}: Pick<NodeSettings, "coreCount" | "instanceCount">): number {
  return Math.max(1, Math.floor(coreCount / instanceCount));
}

/** How the requests of a replica wait. */
export function waitSettings(
  { queueRequestsMax, queueRowsMax, queueBytesMax, defaultTimeoutMs }: ReplicaSettings,
  { queue }: Pick<NodeSettings, "queue">,
): Pick<PoolOptions, "queue" | "defaultTimeoutMs"> {
  return {
    queue: {
      requestsMax: queueRequestsMax || queue.requestsMax,
      rowsMax: queueRowsMax || queue.rowsMax,
      bytesMax: queueBytesMax || queue.bytesMax,
    },
    defaultTimeoutMs: defaultTimeoutMs || Infinity,
  };
}
