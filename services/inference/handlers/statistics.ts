import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { InferBatchStatistics } from "../../../lib/gen/inference/InferBatchStatistics.ts";
import type { InferResponseStatistics } from "../../../lib/gen/inference/InferResponseStatistics.ts";
import type { InferStatistics } from "../../../lib/gen/inference/InferStatistics.ts";
import type { MemoryUsage } from "../../../lib/gen/inference/MemoryUsage.ts";
import type { ModelStatistics } from "../../../lib/gen/inference/ModelStatistics.ts";
import type { StatisticDuration } from "../../../lib/gen/inference/StatisticDuration.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { type ReadyEntry, readyEntries } from "../replicas/model-table.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { readyVersion, resolveVersion } from "../replicas/resolve.ts";
import type { BatchSizeStatistics, ResponseStatistics, VersionStatistics } from "../statistics/version-statistics.ts";
import { modelReference } from "./model-reference.ts";

/** ModelStatistics. */
export function statisticsHandlers(replicas: Pick<ReplicaSet, "table">) {
  return {
    ModelStatistics: ({ name, version: named }, call) => {
      const { table } = replicas;
      const { model, version } = modelReference({ model: name, version: named }, call);
      if (model === "") return { modelStats: readyEntries(table.values()).map(statisticsOf) };
      const entry = resolveVersion(table, model, version);
      if (version === "") return { modelStats: readyEntries([table.get(model)!]).map(statisticsOf) };
      const { replica } = readyVersion(table, model, version);
      return { modelStats: [statisticsOf({ ...entry, replica })] };
    },
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}

function statisticsOf({ model, version, placement, replica }: ReadyEntry): ModelStatistics {
  const { statistics } = replica;
  return {
    name: model,
    version: String(version),
    lastInference: statistics.lastRunMs,
    inferenceCount: statistics.rowCount,
    executionCount: statistics.runCount,
    inferenceStats: requestStatistics(statistics),
    batchStats: statistics.batchSizes.map(batchStatistics),
    memoryUsage: [memoryUsage(placement.executionProvider, replica)],
    responseStats: Object.fromEntries(
      statistics.responses.map((response, index) => [index, responseStatistics(response)]),
    ),
  };
}

function requestStatistics(statistics: VersionStatistics): InferStatistics {
  const { answers, failures, queueMs, inputMs, computeMs, outputMs } = statistics;
  return {
    success: duration(answers.count, answers.ms),
    fail: duration(failures.count, failures.ms),
    queue: duration(answers.count, queueMs.sum),
    computeInput: duration(answers.count, inputMs.sum),
    computeInfer: duration(answers.count, computeMs.sum),
    computeOutput: duration(answers.count, outputMs.sum),
    // No responses are cached.
    cacheHit: duration(0, 0),
    cacheMiss: duration(0, 0),
  };
}

function batchStatistics({ rowCount, runCount, phases }: BatchSizeStatistics): InferBatchStatistics {
  return {
    batchSize: rowCount,
    computeInput: duration(runCount, phases.inputMs),
    computeInfer: duration(runCount, phases.computeMs),
    computeOutput: duration(runCount, phases.outputMs),
  };
}

function responseStatistics(response: ResponseStatistics): InferResponseStatistics {
  const { answerCount, computeMs, outputMs, failed, cancelled } = response;
  return {
    computeInfer: duration(answerCount, computeMs),
    computeOutput: duration(answerCount, outputMs),
    success: duration(answerCount, computeMs + outputMs),
    fail: duration(failed.count, failed.ms),
    cancel: duration(cancelled.count, cancelled.ms),
    // An empty final response is not one of the model.
    emptyResponse: duration(0, 0),
  };
}

/** What the weights take at least: every session holds its own. */
function memoryUsage(executionProvider: string, { usage, weightBytes }: ReadyEntry["replica"]): MemoryUsage {
  const type = executionProvider === "cpu" ? "CPU" : "GPU";
  return { type, id: 0, byteSize: weightBytes * usage.instanceCount };
}

function duration(count: number, ms: number): StatisticDuration {
  return { count, ns: Math.round(ms * 1e6) };
}
