/** How requests are joined into batches and wait for it; the words are Triton's. */
export interface BatchSettings {
  /** Rows of a batch. */
  readonly maxBatchSize: number;
  /** Whether that is only until the size has been found that is best on this machine. */
  readonly findsBatchSize: boolean;
  /** Rows of one request; Infinity where one that is larger than a batch runs alone. */
  readonly requestRowsMax: number;
  /** Sizes to prefer, ascending. */
  readonly preferredBatchSizes: readonly number[];
  /** How long a request may wait for others while an instance is free; 0 for not at all. */
  readonly maxQueueDelayMs: number;
  /** Whether answers come in the order of the requests of the same priority. */
  readonly preserveOrdering: boolean;
  /** The priority of requests that name none, or one that does not exist; 1 is the highest. */
  readonly defaultPriorityLevel: number;
  /** How requests wait, by priority: the first is for priority 1. */
  readonly queuePolicies: readonly QueuePolicy[];
}

/** How the requests of a priority wait. */
export interface QueuePolicy {
  /** Whether one that has waited too long is refused, or waits on behind all others of its priority. */
  readonly timeoutAction: "REJECT" | "DELAY";
  /** How long one may wait; 0 for ever. */
  readonly defaultTimeoutMs: number;
  /** Whether a request may ask for a shorter time. */
  readonly allowTimeoutOverride: boolean;
  /** Requests that may wait; 0 for as many as all bounds allow. */
  readonly maxQueueSize: number;
}

/** How requests wait for as long as the bounds of the queue allow. */
export const plainQueuePolicy: QueuePolicy = {
  timeoutAction: "REJECT",
  defaultTimeoutMs: 0,
  allowTimeoutOverride: false,
  maxQueueSize: 0,
};

/** Each request runs alone, in the order of arrival. */
export const unbatched: BatchSettings = {
  maxBatchSize: 1,
  findsBatchSize: false,
  requestRowsMax: Infinity,
  preferredBatchSizes: [],
  maxQueueDelayMs: 0,
  preserveOrdering: false,
  defaultPriorityLevel: 1,
  queuePolicies: [plainQueuePolicy],
};

/** The same where nothing waits for company. */
export function withoutDelay(settings: BatchSettings): BatchSettings {
  return { ...settings, maxQueueDelayMs: 0 };
}

/** The same where each request runs alone. */
export function unjoined(settings: BatchSettings): BatchSettings {
  return { ...withoutDelay(settings), maxBatchSize: 1, requestRowsMax: Infinity };
}

/** Whether each request runs alone, and after all that came before: none has priority, and none is refused or set back as it waits. */
export function runsInOrder({ maxBatchSize, queuePolicies }: BatchSettings): boolean {
  const [{ defaultTimeoutMs, allowTimeoutOverride }] = queuePolicies;
  return maxBatchSize === 1 && queuePolicies.length === 1 && defaultTimeoutMs === 0 && !allowTimeoutOverride;
}

/** The priority that a request has, of those that there are. */
export function priorityOf(wanted: number, { queuePolicies, defaultPriorityLevel }: BatchSettings): number {
  return wanted >= 1 && wanted <= queuePolicies.length ? wanted : defaultPriorityLevel;
}

/** How long a request may wait that asks for a time itself, or does not by 0; Infinity for ever. */
export function timeoutMsOf(wantedMs: number, { defaultTimeoutMs, allowTimeoutOverride }: QueuePolicy): number {
  const presetMs = defaultTimeoutMs || Infinity;
  return allowTimeoutOverride && wantedMs > 0 ? Math.min(wantedMs, presetMs) : presetMs;
}
