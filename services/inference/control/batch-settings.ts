import type { DynamicBatching__Output as DynamicBatching } from "../../../lib/gen/amaas/registry/v1/DynamicBatching.ts";
import type { QueuePolicy__Output as QueuePolicyMessage } from "../../../lib/gen/amaas/registry/v1/QueuePolicy.ts";
import { type BatchSettings, plainQueuePolicy, type QueuePolicy } from "../batching/batch-settings.ts";

/** How the requests of a version are joined, where the registry says that they are. */
export function batchSettings(message: DynamicBatching): BatchSettings {
  const { maxBatchSize, priorityLevels, defaultPriorityLevel, defaultQueuePolicy, priorityQueuePolicies } = message;
  const preset = defaultQueuePolicy === null ? plainQueuePolicy : policyOf(defaultQueuePolicy);
  return {
    maxBatchSize: maxBatchSize || presetBatchSize,
    findsBatchSize: maxBatchSize === 0,
    requestRowsMax: maxBatchSize || Infinity,
    preferredBatchSizes: message.preferredBatchSizes,
    maxQueueDelayMs: msOf(message.maxQueueDelayMicroseconds),
    preserveOrdering: message.preserveOrdering,
    defaultPriorityLevel: defaultPriorityLevel || 1,
    queuePolicies: Array.from({ length: priorityLevels || 1 }, (_, index) => {
      const policy = priorityQueuePolicies[index + 1];
      return policy === undefined ? preset : policyOf(policy);
    }),
  };
}

/** Rows of a batch where nobody has said how many, until the best number has been found. */
const presetBatchSize = 64;

function policyOf(message: QueuePolicyMessage): QueuePolicy {
  return {
    timeoutAction: message.timeoutAction === "TIMEOUT_ACTION_DELAY" ? "DELAY" : "REJECT",
    defaultTimeoutMs: msOf(message.defaultTimeoutMicroseconds),
    allowTimeoutOverride: message.allowTimeoutOverride,
    maxQueueSize: message.maxQueueSize,
  };
}

/** Timers count in milliseconds: a shorter time is one of them. */
function msOf(microseconds: number): number {
  return Math.ceil(microseconds / 1000);
}
