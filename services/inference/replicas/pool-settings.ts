import type { QueueBounds } from "../batching/occupancy.ts";
import type { ReplicaSettings } from "./aspired-version.ts";
import type { PoolOptions } from "./instance-pool.ts";

/** How a node runs every replica that is not set otherwise. */
export interface NodeSettings {
  /** Sessions per replica. */
  readonly instanceCount: number;
  /** Threads of the runtime inside one operator, per session. */
  readonly intraOpThreads: number;
  readonly queue: QueueBounds;
}

/** How a replica is run: as it is set, and otherwise as the node is. */
export function poolSettings(
  settings: ReplicaSettings,
  { instanceCount, intraOpThreads, queue }: NodeSettings,
): Pick<PoolOptions, "sessionThreads" | "queue" | "batching" | "defaultTimeoutMs"> {
  const { sessionThreads, queueRequestsMax, queueRowsMax, queueBytesMax, defaultTimeoutMs, batching } = settings;
  const sessions = sessionThreads.length > 0 ? sessionThreads : Array<number>(instanceCount).fill(0);
  return {
    sessionThreads: sessions.map((threads) => threads || intraOpThreads),
    queue: {
      requestsMax: queueRequestsMax || queue.requestsMax,
      rowsMax: queueRowsMax || queue.rowsMax,
      bytesMax: queueBytesMax || queue.bytesMax,
    },
    batching,
    defaultTimeoutMs: defaultTimeoutMs || Infinity,
  };
}
