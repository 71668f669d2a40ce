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

/** What a pool is set to, and the outputs that its sessions are to keep on their device. */
export interface PoolSettings extends Pick<PoolOptions, "sessionThreads" | "queue" | "batching" | "defaultTimeoutMs"> {
  readonly keeps: readonly string[];
}

/**
 * How a replica is run on an execution provider: as it is set, and otherwise as the node is; in one session where outputs stay on a
 * device, since no other session could go on from them.
 */
export function poolSettings(
  settings: ReplicaSettings,
  executionProvider: string,
  { instanceCount, intraOpThreads, coreCount, queue }: NodeSettings,
): PoolSettings {
  const { instanceGroups, batching } = settings;
  const keeps = keptOutputs(settings, executionProvider);
  const groups = instanceGroups.filter((group) => ["", executionProvider].includes(group.executionProvider));
  const set = groups.flatMap(({ count, intraOpThreads: threads }) => Array<number>(count).fill(threads));
  const sessions = set.length > 0 ? set : Array<number>(instanceCount).fill(0);
  const sessionThreads = sessions.map((threads) => Math.min(threads || intraOpThreads, coreCount));
  return {
    sessionThreads: keeps.length > 0 ? sessionThreads.slice(0, 1) : sessionThreads,
    keeps,
    batching,
    ...waitSettings(settings, { queue }),
  };
}

/** The outputs whose values become those of inputs of a later run, where the provider can keep them. The runtime does so with WebGPU alone. */
function keptOutputs({ sequences, decoupled }: ReplicaSettings, executionProvider: string): readonly string[] {
  if (executionProvider !== "webgpu") return [];
  const links = [...(sequences?.states ?? []), ...(decoupled?.feedbacks ?? [])];
  return [...new Set(links.map(({ outputName }) => outputName))];
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
