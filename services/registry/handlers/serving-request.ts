import type { DynamicBatching__Output } from "../../../lib/gen/amaas/registry/v1/DynamicBatching.ts";
import type { InstanceGroup__Output } from "../../../lib/gen/amaas/registry/v1/InstanceGroup.ts";
import type { Limits__Output } from "../../../lib/gen/amaas/registry/v1/Limits.ts";
import type { QueuePolicy__Output } from "../../../lib/gen/amaas/registry/v1/QueuePolicy.ts";
import type { ServingSettings__Output } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { VersionPolicy__Output } from "../../../lib/gen/amaas/registry/v1/VersionPolicy.ts";
import type { SettingsValues } from "../store/serving-settings.ts";
import { atMost, checkText, checkVersionNumbers, invalid, whole, wordOf } from "./requests.ts";
import { checkedDecoupled, checkedSequences } from "./stateful-request.ts";
import { checkedTraffic } from "./traffic-request.ts";
import { checkedWarmUps } from "./warm-up-request.ts";

/** What a request wants to be set. Throws REQUEST_INVALID with the path of the field that is beyond its bounds. */
export function settingsValuesOf(wanted: ServingSettings__Output): SettingsValues {
  const { versionPolicy, replicas, memoryBytes, executionProviders, precisions, instanceGroups } = wanted;
  const { dynamicBatching, limits, sequenceBatching, decoupled, traffic } = wanted;
  whole("settings.replicas", replicas, 0, 1000);
  whole("settings.memory_bytes", memoryBytes, 0, Number.MAX_SAFE_INTEGER);
  checkWords("settings.execution_providers", executionProviders);
  checkWords("settings.precisions", precisions);
  atMost("settings.instance_groups", instanceGroups, 16).forEach(checkGroup);
  if (dynamicBatching) checkBatching(dynamicBatching);
  const warmUps = checkedWarmUps(wanted.warmUps);
  if (limits) checkLimits(limits);
  const residency = wordOf("settings.residency", wanted.residency, "RESIDENCY_");
  const isolation = wordOf("settings.isolation", wanted.isolation, "ISOLATION_");
  const policy = versionPolicy && policyOf(versionPolicy);
  return {
    versionPolicy: policy,
    replicas,
    memoryBytes,
    executionProviders,
    precisions,
    instanceGroups,
    dynamicBatching,
    warmUps,
    limits,
    sequenceBatching: sequenceBatching && checkedSequences(sequenceBatching),
    decoupled: decoupled && checkedDecoupled(decoupled),
    isolation: isolation ? `ISOLATION_${isolation}` : undefined,
    residency: residency ? `RESIDENCY_${residency}` : undefined,
    traffic: traffic && checkedTraffic(traffic),
  };
}

function policyOf({ choice, latest, specific }: VersionPolicy__Output): VersionPolicy__Output | null {
  const field = "settings.version_policy";
  if (choice === "latest") whole(`${field}.latest`, latest!, 0, 1000);
  if (choice === "specific") {
    checkVersionNumbers(`${field}.specific.versions`, atMost(`${field}.specific.versions`, specific!.versions, 1000));
  }
  if (choice === undefined) return null;
  return choice === "latest" ? { latest } : choice === "all" ? { all: {} } : { specific };
}

function checkGroup({ executionProvider, count, intraOpThreads }: InstanceGroup__Output, index: number): void {
  const field = `settings.instance_groups[${index}]`;
  checkText(`${field}.execution_provider`, executionProvider, 64);
  whole(`${field}.count`, count, 1, 64);
  whole(`${field}.intra_op_threads`, intraOpThreads, 0, 1024);
}

function checkBatching(batching: DynamicBatching__Output): void {
  const field = "settings.dynamic_batching";
  const { maxBatchSize, preferredBatchSizes, maxQueueDelayMicroseconds, priorityLevels, defaultPriorityLevel } =
    batching;
  whole(`${field}.max_batch_size`, maxBatchSize, 0, 65_536);
  for (const [index, size] of atMost(`${field}.preferred_batch_sizes`, preferredBatchSizes, 64).entries()) {
    const path = `${field}.preferred_batch_sizes[${index}]`;
    whole(path, size, 1, maxBatchSize || 65_536);
    const before = preferredBatchSizes[index - 1] ?? 0;
    if (size <= before) throw invalid(path, size, `more than ${before}, the one before it`);
  }
  whole(`${field}.max_queue_delay_microseconds`, maxQueueDelayMicroseconds, 0, 60_000_000);
  whole(`${field}.priority_levels`, priorityLevels, 0, 64);
  const isPrioritised = priorityLevels > 0;
  whole(`${field}.default_priority_level`, defaultPriorityLevel, isPrioritised ? 1 : 0, priorityLevels);
  if (batching.defaultQueuePolicy) checkQueuePolicy(`${field}.default_queue_policy`, batching.defaultQueuePolicy);
  for (const [priority, policy] of Object.entries(batching.priorityQueuePolicies)) {
    const path = `${field}.priority_queue_policies[${priority}]`;
    if (!(Number(priority) >= 1 && Number(priority) <= priorityLevels)) {
      throw invalid(path, "of no priority", `a priority from 1 to priority_levels, which is ${priorityLevels}`);
    }
    checkQueuePolicy(path, policy);
  }
}

function checkQueuePolicy(field: string, policy: QueuePolicy__Output): void {
  wordOf(`${field}.timeout_action`, policy.timeoutAction, "TIMEOUT_ACTION_");
  whole(`${field}.default_timeout_microseconds`, policy.defaultTimeoutMicroseconds, 0, 86_400_000_000);
  whole(`${field}.max_queue_size`, policy.maxQueueSize, 0, 1_000_000);
}

function checkLimits(limits: Limits__Output): void {
  whole("settings.limits.queue_requests_max", limits.queueRequestsMax, 0, 1_000_000);
  whole("settings.limits.queue_rows_max", limits.queueRowsMax, 0, 1_000_000_000);
  whole("settings.limits.queue_bytes_max", limits.queueBytesMax, 0, 1024 ** 4);
  whole("settings.limits.default_timeout_ms", limits.defaultTimeoutMs, 0, 86_400_000);
}

/** Names of providers and precisions: at most 16, each once. */
function checkWords(field: string, words: readonly string[]): void {
  for (const [index, word] of atMost(field, words, 16).entries()) {
    if (word === "") throw invalid(`${field}[${index}]`, "empty", "1 to 64 characters");
    checkText(`${field}[${index}]`, word, 64);
    if (words.indexOf(word) < index) throw invalid(`${field}[${index}]`, `${word} once more`, "each one once");
  }
}
