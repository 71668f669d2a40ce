import { ServiceError } from "../../../lib/errors.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { artifactName, jobName } from "../../../lib/resource-names.ts";
import { readCsv } from "../datasets/csv.ts";
import { nextTokens } from "../datasets/next-tokens.ts";
import { preparedInMemory } from "../datasets/rows/prepared-in-memory.ts";
import type { MemoryEstimate } from "../engine/memory-estimate.ts";
import type { TrainingOutcome } from "../engine/training-figures.ts";
import { runTraining } from "../engine/training-run.ts";
import { initialModel } from "../initial-model.ts";
import type { Job } from "../jobs/job.ts";
import { snakeCase } from "../jobs/snake-case.ts";
import { type CheckedSpec, checkSpec } from "../jobs/train-spec.ts";
import { whileUnavailable } from "../patience.ts";
import { ProgressReport } from "../progress-report.ts";
import type { Running } from "../queue/job-attempt.ts";
import type { JobResult, WorkParts, WorkRules } from "./work-rules.ts";

/** Training: from a dataset and a description of a network to a version. It may be begun again at any point. */
export const train: WorkRules<"train"> = {
  check: async (spec, { catalogue, compute }, onBehalf) => {
    const initial = await initialModel(catalogue, spec, onBehalf);
    const { datasetSha256 } = checkSpec(spec, compute, initial);
    await catalogue.checkDataset(datasetSha256, onBehalf);
  },
  run: runTrain,
};

async function runTrain(told: TrainSpec__Output, parts: WorkParts, { job, signal, log }: Running): Promise<JobResult> {
  const { catalogue, store } = parts;
  const onBehalf = { requestId: job.requestId, signal };
  const initial = await initialModel(catalogue, told, onBehalf);
  const spec = checkSpec(told, parts.compute, initial);

  const bytes = catalogue.download(spec.datasetSha256, onBehalf);
  const rows = await readCsv(bytes, spec.csv);
  const data = spec.context === undefined ? rows : nextTokens(rows, spec.context);
  const prepared = preparedInMemory(data, spec.plan.validationShare, spec.plan.seed);
  log.info({ rows: data.rowCount, features: data.featureCount }, "dataset loaded");

  const report = new ProgressReport((progress) => store.progress(job, progress), log);
  const onProgress = (progress: Parameters<typeof report.add>[0]) => report.add(progress, spec.plan.epochCount);
  const onStart = (memory: MemoryEstimate) => log.info({ memory }, "training begins");
  const outcome = await runTraining(spec.plan, prepared, { onStart, onProgress, signal });
  await report.finished();

  signal.throwIfAborted();
  if (!(await store.move(job.id, ["RUNNING", "REGISTERING"], "REGISTERING", {}, job.attempts))) {
    throw new ServiceError("CANCELLED", "the job has ended meanwhile");
  }
  const metrics = metricsOf(outcome);
  const lineage = lineageOf(job, spec, outcome);
  const created = { model: spec.model, bytes: outcome.model, metrics, lineage, idempotencyKey: jobName(job.id) };
  // Tried again here rather than by another delivery, which would train again.
  const patiently = <Value>(call: () => Promise<Value>) => whileUnavailable(call, parts.bounds, signal, log);
  const version = await patiently(() => catalogue.register(created, onBehalf));
  const { alias } = spec;
  if (alias !== undefined) await patiently(() => catalogue.moveAlias(alias, version, onBehalf));
  return { version, metrics };
}

function metricsOf({ metrics }: TrainingOutcome): Record<string, number> {
  const named: Record<string, number | undefined> = {
    training_loss: metrics.trainingLoss,
    training_accuracy: metrics.trainingAccuracy,
    validation_loss: metrics.validationLoss,
    validation_accuracy: metrics.validationAccuracy,
    ...Object.fromEntries(Object.entries(metrics.metrics ?? {}).map(([name, value]) => [`validation_${name}`, value])),
    epochs: metrics.epochCount,
    best_epoch: metrics.bestEpoch,
    steps: metrics.stepCount,
    training_rows: metrics.trainingRows,
    validation_rows: metrics.validationRows,
    waited_share: metrics.waitedShare,
    samples_per_second: metrics.samplesPerSecond,
    duration_seconds: metrics.durationMs / 1000,
    memory_estimate_bytes: metrics.memoryEstimateBytes,
  };
  return Object.fromEntries(Object.entries(named).filter((entry): entry is [string, number] => entry[1] !== undefined));
}

function lineageOf(job: Job, { plan, datasetSha256, initialVersion }: CheckedSpec, outcome: TrainingOutcome) {
  const { kind, ...optimizer } = plan.optimizer;
  const { kind: _, ...lossFields } = plan.loss;
  const hyperParameters: Record<string, unknown> = {
    network: JSON.stringify(
      plan.network.kind === "imported" ? { ...plan.network, model: undefined, files: undefined } : plan.network,
    ),
    loss: plan.loss.kind,
    ...Object.fromEntries(Object.entries(lossFields).map(([field, value]) => [`loss.${snakeCase(field)}`, value])),
    "optimizer.kind": kind,
    ...Object.fromEntries(Object.entries(optimizer).map(([field, value]) => [`optimizer.${snakeCase(field)}`, value])),
    schedule: plan.schedule && JSON.stringify(plan.schedule),
    clip: plan.clip && JSON.stringify(plan.clip),
    average_decay: plan.averageDecay,
    accumulated_parts: plan.accumulatedParts,
    groups: plan.groups?.length ? JSON.stringify(plan.groups) : undefined,
    frozen: plan.frozen?.length ? plan.frozen.join(", ") : undefined,
    early_stopping: plan.earlyStopping && JSON.stringify(plan.earlyStopping),
    keep_best: plan.keepBest || undefined,
    epochs: plan.epochCount,
    batch_size: plan.batchRows,
    validation_share: plan.validationShare,
    threads: plan.threadCount,
    device: outcome.device,
    left_to_cpu: outcome.leftToCpu.length > 0 ? outcome.leftToCpu.join(", ") : undefined,
  };
  const set = Object.entries(hyperParameters).filter(([, value]) => value !== undefined);
  return {
    job: jobName(job.id),
    ...(initialVersion !== undefined && { parentVersion: initialVersion }),
    datasets: [artifactName(datasetSha256)],
    seed: plan.seed,
    hyperParameters: Object.fromEntries(set.map(([field, value]) => [field, String(value)])),
  };
}
