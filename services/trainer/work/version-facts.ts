import { availableParallelism, cpus } from "node:os";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { artifactName, jobName } from "../../../lib/resource-names.ts";
import { suiteVersion } from "../../../lib/suite-version.ts";
import { type CardColumn, modelCard } from "../card/model-card.ts";
import type { NewVersion } from "../catalogue.ts";
import type { Preprocessing } from "../datasets/columns/preprocessing.ts";
import { pixelText } from "../datasets/formats/pixel-facts.ts";
import type { PreparedData } from "../datasets/row-source.ts";
import type { TrainingOutcome } from "../engine/training-figures.ts";
import type { Job } from "../jobs/job.ts";
import { snakeCase } from "../jobs/snake-case.ts";
import type { CheckedSpec } from "../jobs/train-spec.ts";

/** What is to be known of a trained version. */
export type VersionFacts = Pick<NewVersion, "metrics" | "lineage" | "card">;

/** What a training says of its version: what it measured, where it comes from, and its model card. */
export function versionFacts(
  told: TrainSpec__Output,
  job: Pick<Job, "id">,
  spec: CheckedSpec,
  outcome: TrainingOutcome,
  prepared: Pick<PreparedData, "classNames" | "preprocessing" | "leftOutCount">,
): VersionFacts {
  const metrics = metricsOf(outcome);
  const lineage = lineageOf(job, spec, outcome);
  const card = modelCard({
    model: spec.model,
    job: lineage.job,
    parentVersion: lineage.parentVersion,
    metrics,
    epochs: outcome.epochs,
    confusion: outcome.confusion,
    classNames: prepared.classNames,
    data: dataOf(told, spec, outcome, prepared.leftOutCount ?? 0),
    columns: columnsOf(told, prepared.preprocessing),
    split: splitOf(told, outcome),
    hyperParameters: lineage.hyperParameters,
    environment: environmentOf(spec, outcome),
  });
  return { metrics, lineage, card };
}

/** Those that have a value: a loss that has grown beyond all numbers is none. */
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
  const hasValue = (entry: [string, number | undefined]): entry is [string, number] => Number.isFinite(entry[1]);
  return Object.fromEntries(Object.entries(named).filter(hasValue));
}

function lineageOf(
  job: Pick<Job, "id">,
  { plan, datasetSha256, initialVersion }: CheckedSpec,
  outcome: TrainingOutcome,
) {
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
    code: { repository: "amaas", revision: suiteVersion() },
    seed: plan.seed,
    hyperParameters: Object.fromEntries(set.map(([field, value]) => [field, shortened(String(value))])),
  };
}

/** As much of a long list of layers as the registry takes; the model itself has them all. */
function shortened(text: string): string {
  if (text.length <= valueCharactersMax) return text;
  const note = ` … (${text.length} characters)`;
  return text.slice(0, valueCharactersMax - note.length) + note;
}

/** Of one hyper-parameter in a version's lineage. */
const valueCharactersMax = 65_536;

function dataOf(
  { dataset, data }: TrainSpec__Output,
  spec: CheckedSpec,
  { metrics }: TrainingOutcome,
  leftOutCount: number,
): Record<string, string> {
  const images = pixelText(spec.data.format);
  return {
    dataset,
    format: data?.format ?? "found out from the file",
    ...(images !== undefined && { images }),
    "rows that were used": String(metrics.trainingRows + metrics.validationRows),
    "rows that were left out": String(leftOutCount),
  };
}

/** Those that the job names, and those whose values are encoded; others are taken as they are. */
function columnsOf({ data }: TrainSpec__Output, preprocessing: Preprocessing | undefined): readonly CardColumn[] {
  const said = (data?.columns ?? []).map(({ name, role, encoding, missing }) => {
    const words = [encoding && snakeCase(encoding), missing && `missing: ${snakeCase(missing)}`].filter(Boolean);
    return { name, role: role.replace("ROLE_", "").toLowerCase(), encoding: words.join(", ") };
  });
  const encoded = (preprocessing?.columns ?? []).map(({ name, fill, encoder }) => {
    const words = [encoder.kind, "categories" in encoder && `${encoder.categories.length} categories`];
    const missing = fill !== undefined && `missing: ${fill}`;
    return { name, role: "feature", encoding: [...words, missing].filter(Boolean).join(", ") };
  });
  const names = new Set(encoded.map(({ name }) => name));
  return [...encoded, ...said.filter(({ name }) => !names.has(name))];
}

function splitOf({ data, seed }: TrainSpec__Output, { metrics }: TrainingOutcome): Record<string, string> {
  const { kind = "random", ...split } = data?.split ?? {};
  const { column } = { column: undefined, ...split[kind] };
  return {
    kind,
    ...(column !== undefined && { column }),
    seed: String(seed),
    "training rows": String(metrics.trainingRows),
    "validation rows": String(metrics.validationRows),
  };
}

function environmentOf({ plan }: CheckedSpec, { device, runtimeVersion }: TrainingOutcome): Record<string, string> {
  return {
    amaas: suiteVersion(),
    node: process.version,
    "onnxruntime-node": runtimeVersion,
    system: `${process.platform} ${process.arch}`,
    processor: `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown"}`,
    device,
    threads: String(plan.threadCount),
  };
}
