import type { ModelConfig } from "../../../lib/gen/inference/ModelConfig.ts";
import type { ModelDynamicBatching } from "../../../lib/gen/inference/ModelDynamicBatching.ts";
import type { ModelInstanceGroup } from "../../../lib/gen/inference/ModelInstanceGroup.ts";
import type { ModelQueuePolicy } from "../../../lib/gen/inference/ModelQueuePolicy.ts";
import type { ModelWarmup } from "../../../lib/gen/inference/ModelWarmup.ts";
import type { DataType, Signature, TensorSpec } from "../../../lib/tensor.ts";
import type { BatchSettings, QueuePolicy } from "../batching/batch-settings.ts";
import type { AspiredVersion, ReplicaSettings } from "../replicas/aspired-version.ts";
import { type ModelEntry, type ModelTable, readyEntries } from "../replicas/model-table.ts";
import { type NodeSettings, poolSettings } from "../replicas/pool-settings.ts";
import { type ReadyVersion, readyEntry, resolveVersion } from "../replicas/resolve.ts";
import { type SequenceDefaults, sequenceBounds } from "../replicas/runners.ts";
import type { WarmUp } from "../warm-up/warm-up-inputs.ts";
import { shapeOf } from "./shape-message.ts";

/** What runs the models, in the protocol's words. */
export const platform = "onnxruntime_onnx";

/** What holds for every version that is not set otherwise. */
export type ConfigDefaults = NodeSettings & Pick<SequenceDefaults, "sequences">;

/** How a version is run, in the words of Triton's ModelConfig. */
export function modelConfig(
  { model, content, settings }: AspiredVersion,
  { signature, placement, batching }: Pick<ReadyVersion, "signature" | "placement" | "batching">,
  node: ConfigDefaults,
  entry: Pick<ModelEntry, "versions" | "versionPolicy">,
): ModelConfig {
  const maxBatchSize = settings.batching === undefined ? 0 : batchSizeOf(batching);
  const { executionProvider, fallbackProviders } = placement;
  const { sessionThreads } = poolSettings(settings, executionProvider, node);
  const isBatched = maxBatchSize > 0;
  return {
    name: model,
    platform,
    backend: "onnxruntime",
    versionPolicy: policyMessage(entry),
    maxBatchSize,
    ...tensorMessages(signature, isBatched),
    instanceGroup: groupsOf(model, executionProvider, sessionThreads),
    ...schedulingMessage(settings, isBatched, node),
    ...(settings.warmUps.length > 0 && { modelWarmup: warmUpMessages(settings.warmUps, signature, isBatched) }),
    ...(settings.decoupled && { modelTransactionPolicy: { decoupled: true } }),
    defaultModelFilename: "model.onnx",
    parameters: {
      execution_provider: { stringValue: executionProvider },
      fallback_execution_providers: { stringValue: fallbackProviders.join(",") },
      variant: { stringValue: content.variant },
      intra_op_threads: { stringValue: [...new Set(sessionThreads)].join(",") },
    },
  };
}

/**
 * The configs of the ready versions of a model, that which an empty version means first, each with and without the batch in the dims
 * of its tensors: who changes the size of batches may leave these as they are.
 */
export function readyConfigs(table: ModelTable, model: string, node: ConfigDefaults): readonly ModelConfig[] {
  const entry = table.get(model);
  if (entry === undefined) return [];
  const preset = resolveVersion(table, model, "").version;
  const entries = [...readyEntries([entry])].sort(
    (a, b) => Number(b.version === preset) - Number(a.version === preset) || b.version - a.version,
  );
  return entries.map(readyEntry).flatMap((ready) => {
    const config = modelConfig(ready.replica.aspired, ready, node, entry);
    return [config, { ...config, ...tensorMessages(ready.signature, !(config.maxBatchSize! > 0)) }];
  });
}

function tensorMessages({ inputs, outputs }: Signature, isBatched: boolean): Pick<ModelConfig, "input" | "output"> {
  return {
    input: inputs.map((spec) => ({ ...tensorMessage(spec, isBatched), optional: spec.optional ?? false })),
    output: outputs.map((spec) => tensorMessage(spec, isBatched)),
  };
}

/** One or the other: sequences say also how they are joined. */
function schedulingMessage(
  settings: ReplicaSettings,
  isBatched: boolean,
  node: ConfigDefaults,
): Pick<ModelConfig, "dynamicBatching" | "sequenceBatching"> {
  const { batching, sequences } = settings;
  if (sequences === undefined) return isBatched ? { dynamicBatching: batchingMessage(batching!) } : {};
  const { sequencesMax, idleMs } = sequenceBounds(settings, node);
  const joining = isBatched && {
    preferredBatchSize: [...batching!.preferredBatchSizes],
    maxQueueDelayMicroseconds: batching!.maxQueueDelayMs * 1000,
    preserveOrdering: batching!.preserveOrdering,
  };
  return {
    sequenceBatching: {
      maxSequenceIdleMicroseconds: idleMs * 1000,
      oldest: { maxCandidateSequences: sequencesMax, ...joining },
      state: sequences.states.map(({ inputName, outputName }) => ({ inputName, outputName })),
    },
  };
}

/** Rows of a batch; 0 where requests turned out not to be joined. */
function batchSizeOf({ maxBatchSize, requestRowsMax }: BatchSettings): number {
  return maxBatchSize === 1 && requestRowsMax === Infinity ? 0 : maxBatchSize;
}

function policyMessage({ versionPolicy, versions }: Parameters<typeof modelConfig>[3]): ModelConfig["versionPolicy"] {
  switch (versionPolicy?.kind) {
    case "latest":
      return { latest: { numVersions: versionPolicy.count } };
    case "all":
      return { all: {} };
    default:
      return { specific: { versions: [...(versionPolicy?.versions ?? versions.keys())] } };
  }
}

const typeNames = {
  BOOL: "TYPE_BOOL",
  UINT8: "TYPE_UINT8",
  UINT16: "TYPE_UINT16",
  UINT32: "TYPE_UINT32",
  UINT64: "TYPE_UINT64",
  INT8: "TYPE_INT8",
  INT16: "TYPE_INT16",
  INT32: "TYPE_INT32",
  INT64: "TYPE_INT64",
  FP16: "TYPE_FP16",
  BF16: "TYPE_BF16",
  FP32: "TYPE_FP32",
  FP64: "TYPE_FP64",
  BYTES: "TYPE_STRING",
} as const satisfies Record<DataType, string>;

/** Where the first axis is the batch, dims do not have it. */
function tensorMessage({ name, dataType, shape }: TensorSpec, isBatched: boolean) {
  const dims = shapeOf(shape);
  return { name, dataType: typeNames[dataType], dims: isBatched ? dims.slice(1) : dims };
}

/** One group for each number of threads. */
function groupsOf(model: string, provider: string, sessionThreads: readonly number[]): ModelInstanceGroup[] {
  const counts = new Map<number, number>();
  for (const threads of sessionThreads) counts.set(threads, (counts.get(threads) ?? 0) + 1);
  const kind = provider === "cpu" ? "KIND_CPU" : "KIND_GPU";
  return [...counts.values()].map((count, index) => ({ name: `${model}_${index}`, count, kind }));
}

/** Bytes of one's own stand there as a file, which Triton has in their place. */
function warmUpMessages(warmUps: readonly WarmUp[], { inputs }: Signature, isBatched: boolean): ModelWarmup[] {
  return warmUps.map(({ kind, rowCount, runCount, inputs: given }, index) => ({
    name: `warm-up ${index + 1}`,
    batchSize: rowCount,
    count: runCount,
    inputs: Object.fromEntries(
      given.map(({ name, shape, bytes }) => {
        const dataType = inputs.find((spec) => spec.name === name)?.dataType;
        const content = kind === "random" ? { randomData: true } : { zeroData: true };
        const input = {
          dataType: dataType && typeNames[dataType],
          dims: shape.slice(isBatched ? 1 : 0),
          ...(bytes.length > 0 ? { inputDataFile: "given bytes" } : content),
        };
        return [name, input];
      }),
    ),
  }));
}

function batchingMessage(batching: BatchSettings): ModelDynamicBatching {
  const { preferredBatchSizes, maxQueueDelayMs, preserveOrdering, defaultPriorityLevel, queuePolicies } = batching;
  const hasPriorities = queuePolicies.length > 1;
  const policies = queuePolicies.map((policy, index) => [index + 1, queuePolicyMessage(policy)] as const);
  return {
    preferredBatchSize: [...preferredBatchSizes],
    maxQueueDelayMicroseconds: maxQueueDelayMs * 1000,
    preserveOrdering,
    priorityLevels: hasPriorities ? queuePolicies.length : 0,
    defaultPriorityLevel: hasPriorities ? defaultPriorityLevel : 0,
    defaultQueuePolicy: queuePolicyMessage(queuePolicies[defaultPriorityLevel - 1]),
    priorityQueuePolicy: hasPriorities ? Object.fromEntries(policies) : {},
  };
}

function queuePolicyMessage(policy: QueuePolicy): ModelQueuePolicy {
  return {
    timeoutAction: policy.timeoutAction,
    defaultTimeoutMicroseconds: policy.defaultTimeoutMs * 1000,
    allowTimeoutOverride: policy.allowTimeoutOverride,
    maxQueueSize: policy.maxQueueSize,
  };
}
