import type { Distribution } from "../../../lib/metrics/histogram.ts";
import type { Metrics, Read } from "../../../lib/metrics/metrics.ts";
import { failureKinds } from "../batching/pool-observer.ts";
import { type ReadyEntry, readyEntries, stateOf } from "../replicas/model-table.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import type { VersionStatistics } from "../statistics/version-statistics.ts";
import type { TraceFiles } from "../tracing/trace-files.ts";

type Replicas = Pick<ReplicaSet, "table">;

/** Adds the metrics of every version that takes requests, what the node holds, and what it traces. */
export function describeNode(metrics: Metrics, replicas: Replicas, traces: TraceFiles): void {
  describeCounts(metrics, replicas);
  describeDurations(metrics, replicas);
  describeHistograms(metrics, replicas);
  describeHoldings(metrics, replicas);
  describeTraces(metrics, traces);
}

/** Under Triton's names, which dashboards know. */
function describeCounts(metrics: Metrics, replicas: Replicas): void {
  const counter = (name: string, help: string, value: (statistics: VersionStatistics) => number) =>
    metrics.counter(
      `nv_inference_${name}`,
      help,
      perVersion(replicas, ({ replica }) => value(replica.statistics)),
    );
  counter("request_success", "Requests that were answered.", ({ answers }) => answers.count);
  metrics.counter("nv_inference_request_failure", "Requests that were not, by reason.", function* () {
    for (const entry of readyEntries(replicas.table.values())) {
      for (const reason of failureKinds) {
        const value = entry.replica.statistics.failureCount(reason);
        yield { labels: { ...labelsOf(entry), reason }, value };
      }
    }
  });
  counter("count", "Rows of the requests that were answered.", ({ rowCount }) => rowCount);
  counter("exec_count", "Runs of the model; fewer than requests where batches formed.", ({ runCount }) => runCount);
  metrics.gauge(
    "nv_inference_pending_request_count",
    "Requests that wait to be run.",
    perVersion(replicas, ({ replica }) => replica.usage.waitingRequests),
  );
}

function describeDurations(metrics: Metrics, replicas: Replicas): void {
  const duration = (name: string, help: string, ms: (statistics: VersionStatistics) => number) =>
    metrics.counter(
      `nv_inference_${name}_duration_us`,
      `${help}, in microseconds, of all requests that were answered.`,
      perVersion(replicas, ({ replica }) => Math.round(1000 * ms(replica.statistics))),
    );
  duration("request", "From arrival to answer", ({ answers }) => answers.ms);
  duration("queue", "Waiting to be run", ({ queueMs }) => queueMs.sum);
  duration("compute_input", "Preparing inputs", ({ inputMs }) => inputMs.sum);
  duration("compute_infer", "Running the model", ({ computeMs }) => computeMs.sum);
  duration("compute_output", "Reading outputs", ({ outputMs }) => outputMs.sum);
}

function describeHistograms(metrics: Metrics, replicas: Replicas): void {
  const seconds = (name: string, help: string, ms: (statistics: VersionStatistics) => Distribution) =>
    metrics.histogram(
      `amaas_inference_${name}_seconds`,
      help,
      perVersion(replicas, ({ replica }) => ms(replica.statistics)),
      1000,
    );
  seconds("queue", "How long answered requests waited to be run.", ({ queueMs }) => queueMs);
  seconds("input", "How long their inputs were prepared.", ({ inputMs }) => inputMs);
  seconds("compute", "How long the model ran for them.", ({ computeMs }) => computeMs);
  seconds("output", "How long their outputs were read.", ({ outputMs }) => outputMs);
  seconds(
    "first_response",
    "From the arrival of requests to their first response.",
    ({ firstResponseMs }) => firstResponseMs,
  );
  metrics.histogram(
    "nv_inference_first_response_histogram_ms",
    "The same in milliseconds.",
    perVersion(replicas, ({ replica }) => replica.statistics.firstResponseMs),
  );
  metrics.histogram(
    "amaas_inference_batch_rows",
    "Rows of each run of the model.",
    perVersion(replicas, ({ replica }) => replica.statistics.runRows),
  );
}

function describeHoldings(metrics: Metrics, replicas: Replicas): void {
  const gauge = (name: string, help: string, value: (entry: ReadyEntry) => number) =>
    metrics.gauge(`amaas_inference_${name}`, help, perVersion(replicas, value));
  gauge("queue_rows", "Rows that wait to be run.", ({ replica }) => replica.usage.waitingRows);
  gauge("queue_bytes", "Bytes of inputs that wait to be run.", ({ replica }) => replica.usage.waitingBytes);
  gauge("instances", "Sessions that are loaded.", ({ replica }) => replica.usage.instanceCount);
  gauge(
    "instance_processes",
    "Those of them that run in processes of their own.",
    ({ replica }) => replica.usage.processCount,
  );
  gauge(
    "instances_left_behind",
    "Sessions that do not come back from a run, and whose threads cannot be ended.",
    ({ replica }) => replica.usage.leftBehindCount,
  );
  metrics.counter(
    "amaas_inference_instances_lost_total",
    "Sessions that died or did not come back from a run.",
    perVersion(replicas, ({ replica }) => replica.usage.lostCount),
  );
  gauge("weight_bytes", "The size of the version's files.", ({ replica }) => replica.weightBytes);
  gauge("sequences", "Sequences whose state is kept.", ({ replica }) => replica.sequenceUsage.count);
  gauge("sequence_state_bytes", "The size of these states.", ({ replica }) => replica.sequenceUsage.bytes);
  metrics.gauge(
    "amaas_inference_replica_info",
    "1 for each version that the node holds or should hold, with how far it is and what runs it.",
    function* () {
      for (const entry of [...replicas.table.values()].flatMap(({ versions }) => [...versions.values()])) {
        const { variant, placement } = entry;
        const providers = {
          execution_provider: placement.executionProvider,
          fallback_providers: placement.fallbackProviders.join(","),
        };
        yield { labels: { ...labelsOf(entry), variant, ...providers, state: stateOf(entry).kind }, value: 1 };
      }
    },
  );
}

function describeTraces(metrics: Metrics, files: TraceFiles): void {
  const counter = (name: string, help: string, value: () => number) =>
    metrics.counter(`amaas_inference_traces_${name}_total`, help, () => [{ labels: {}, value: value() }]);
  counter("written", "Traces of requests that were written.", () => files.writtenCount);
  counter(
    "dropped",
    "Traces of requests that were not: too many, or no disk that takes them.",
    () => files.droppedCount,
  );
}

/** What is not in the table has no readings: those of a version that is unloaded disappear. */
function perVersion<Value>(replicas: Replicas, value: (entry: ReadyEntry) => Value): Read<Value> {
  return () => readyEntries(replicas.table.values()).map((entry) => ({ labels: labelsOf(entry), value: value(entry) }));
}

function labelsOf({ model, version }: Pick<ReadyEntry, "model" | "version">): Record<string, string> {
  return { model, version: String(version) };
}
