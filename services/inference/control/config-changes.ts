import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { DynamicBatching__Output as DynamicBatching } from "../../../lib/gen/amaas/registry/v1/DynamicBatching.ts";
import type { QueuePolicy__Output as QueuePolicy } from "../../../lib/gen/amaas/registry/v1/QueuePolicy.ts";
import type { ServingSettings__Output as ServingSettings } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { VersionPolicy__Output as VersionPolicy } from "../../../lib/gen/amaas/registry/v1/VersionPolicy.ts";
import type { ModelConfig } from "../../../lib/gen/inference/ModelConfig.ts";
import { camelCase, saysTheSame } from "./config-agreement.ts";
import { type ConfigDescription, describedBy, descriptionFields } from "./config-description.ts";
import { JsonFields } from "./json-fields.ts";
import type { SettingsChanges } from "./model-choices.ts";
import { warmUpsOf } from "./warm-up-changes.ts";

/** How a model is served at the moment. */
export interface PresentModel {
  /** What ModelConfig says of its ready versions, the preset one first; none where it is not loaded. */
  readonly configs: readonly ModelConfig[];
  /** What its last load has changed. */
  readonly changes: SettingsChanges;
  /** Its sessions as the registry has them. */
  readonly instanceGroups: readonly InstanceGroup[];
}

/** What a `config` parameter says. */
export interface WantedConfig {
  readonly changes: SettingsChanges;
  readonly description: ConfigDescription;
}

/**
 * What a `config` parameter of a load changes: JSON with the names of Triton's ModelConfig. A setting that is as ModelConfig has it
 * stays as it came to be. What it says of the model itself has to be so, as far as the model is loaded; otherwise that is to be checked
 * afterwards.
 *
 * Throws REQUEST_INVALID with the path, the value seen and the value needed; also for every field that would have no effect.
 */
export function configChanges(config: string, model: string, presentModel: PresentModel): WantedConfig {
  const { configs, changes: before, instanceGroups } = presentModel;
  if (config.length > configCharactersMax) {
    const message = `config has ${config.length} characters; needed: at most ${configCharactersMax}`;
    throw new ServiceError("REQUEST_INVALID", message);
  }
  let value: unknown;
  try {
    value = JSON.parse(config);
  } catch (cause) {
    throw new ServiceError("REQUEST_INVALID", `config is not JSON: ${messageOf(cause)}`, { cause });
  }
  return JsonFields.read(value, "config", (fields) => {
    checkNames(fields, model);
    const description = new Map(descriptionFields.map((name) => [name, fields.anything(name)] as const));
    const present = describedBy(description, configs);
    const isSame = (name: SettingField) => {
      const now = present?.[camelCase(name) as keyof ModelConfig];
      return now !== undefined && saysTheSame(fields.anything(name), now);
    };
    const kept = (name: SettingField) => fields.anything(name) === undefined || isSame(name);
    const maxBatchSize = fields.whole("max_batch_size", 0, 65_536);
    const dynamicBatching = fields.object("dynamic_batching", (batching) => batchingOf(batching, maxBatchSize));
    if (dynamicBatching !== undefined && maxBatchSize === 0) {
      throw fields.refuse("max_batch_size", "at least 1 with dynamic_batching");
    }
    const keepsBatching = kept("max_batch_size") && kept("dynamic_batching");
    const groups = () => groupsOf(fields, instanceGroups, present);
    const warmUps = () => warmUpsOf(fields, (maxBatchSize ?? 0) > 0 || dynamicBatching !== undefined);
    const changes = defined({
      versionPolicy: isSame("version_policy") ? before.versionPolicy : fields.object("version_policy", policyOf),
      instanceGroups: isSame("instance_group") ? before.instanceGroups : groups(),
      maxBatchSize: maxBatchSize !== undefined && keepsBatching ? before.maxBatchSize : maxBatchSize,
      dynamicBatching: dynamicBatching !== undefined && keepsBatching ? before.dynamicBatching : dynamicBatching,
      warmUps: isSame("model_warmup") ? before.warmUps : warmUps(),
    });
    return { changes, description };
  });
}

type SettingField = "version_policy" | "instance_group" | "max_batch_size" | "dynamic_batching" | "model_warmup";

const configCharactersMax = 1024 * 1024;

type InstanceGroup = ServingSettings["instanceGroups"][number];

function checkNames(fields: JsonFields, model: string): void {
  fields.word("name", [model, ""]);
  fields.word("platform", ["onnxruntime_onnx", ""]);
  fields.word("backend", ["onnxruntime", ""]);
}

function policyOf(fields: JsonFields): VersionPolicy {
  const latest = fields.object("latest", (choice) => choice.whole("num_versions", 1, 1000) ?? 1);
  const all = fields.object("all", () => ({}));
  const specific = fields.object("specific", (choice) => ({
    versions: choice.wholes("versions", 1000, 1, Number.MAX_SAFE_INTEGER) ?? [],
  }));
  if (specific !== undefined) return { choice: "specific", specific };
  if (latest !== undefined && all === undefined) return { choice: "latest", latest };
  return { choice: "all", all: {} };
}

/**
 * A GPU can be asked for where the model runs on one: which provider it gets is not for a load to say. Nor is it how many threads a
 * session has: as many as those of the registry, of which ModelConfig has one group for each number of threads.
 */
function groupsOf(
  fields: JsonFields,
  registered: readonly InstanceGroup[],
  present: ModelConfig | undefined,
): InstanceGroup[] | undefined {
  const isOnGpu = present?.instanceGroup?.some(({ kind }) => kind === "KIND_GPU") ?? false;
  const groups = fields.list("instance_group", 16, (entry, path) =>
    JsonFields.read(entry, path, (group) => {
      group.text("name");
      const kind = group.word("kind", ["KIND_AUTO", "KIND_CPU", ...(isOnGpu ? ["KIND_GPU"] : [])]);
      return { executionProvider: kind === "KIND_CPU" ? "cpu" : "", count: group.whole("count", 1, 64) ?? 1 };
    }),
  );
  return groups?.map((group, index) => {
    const like = registered.filter(({ executionProvider: on }) => on === "" || on === (group.executionProvider || on));
    const threads = [...new Set(like.map(({ intraOpThreads }) => intraOpThreads))];
    return { ...group, intraOpThreads: threads[index] ?? threads[0] ?? 0 };
  });
}

/** With no `maxBatchSize`: what is beside it says that. */
function batchingOf(fields: JsonFields, maxBatchSize: number | undefined): DynamicBatching {
  const sizeMax = maxBatchSize || 65_536;
  const preferred = fields.wholes("preferred_batch_size", 64, 1, sizeMax) ?? [];
  const priorityLevels = fields.whole("priority_levels", 0, 64) ?? 0;
  const defaultPriorityLevel = fields.whole("default_priority_level", priorityLevels > 0 ? 1 : 0, priorityLevels);
  if (priorityLevels > 0 && defaultPriorityLevel === undefined) {
    throw fields.refuse("default_priority_level", `a whole number from 1 to ${priorityLevels}`);
  }
  return {
    maxBatchSize: 0,
    preferredBatchSizes: [...new Set(preferred)].sort((a, b) => a - b),
    maxQueueDelayMicroseconds: fields.whole("max_queue_delay_microseconds", 0, 60_000_000) ?? 0,
    preserveOrdering: fields.flag("preserve_ordering") ?? false,
    priorityLevels,
    defaultPriorityLevel: defaultPriorityLevel ?? 0,
    defaultQueuePolicy: fields.object("default_queue_policy", queuePolicyOf) ?? null,
    priorityQueuePolicies: priorityPolicies(fields, priorityLevels),
  };
}

function priorityPolicies(fields: JsonFields, priorityLevels: number): DynamicBatching["priorityQueuePolicies"] {
  const policies = fields.map("priority_queue_policy", queuePolicyOf) ?? new Map<string, QueuePolicy>();
  for (const priority of policies.keys()) {
    if (Number(priority) >= 1 && Number(priority) <= priorityLevels) continue;
    throw fields.refuse("priority_queue_policy", `priorities from 1 to priority_levels, which is ${priorityLevels}`);
  }
  return Object.fromEntries(policies);
}

function queuePolicyOf(fields: JsonFields): QueuePolicy {
  const action = fields.word("timeout_action", ["REJECT", "DELAY"]) ?? "REJECT";
  return {
    timeoutAction: `TIMEOUT_ACTION_${action}`,
    defaultTimeoutMicroseconds: fields.whole("default_timeout_microseconds", 0, 86_400_000_000) ?? 0,
    allowTimeoutOverride: fields.flag("allow_timeout_override") ?? false,
    maxQueueSize: fields.whole("max_queue_size", 0, 1_000_000) ?? 0,
  };
}

function defined(changes: SettingsChanges): SettingsChanges {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}
