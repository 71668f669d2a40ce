import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { ModelPaths } from "../catalogue.ts";
import { pixelMetadata } from "../datasets/formats/pixel-facts.ts";
import { readDataset } from "../datasets/read-dataset.ts";
import type { PreparedData } from "../datasets/row-source.ts";
import { openRows } from "../datasets/rows/open-rows.ts";
import type { CheckpointSettings } from "../engine/checkpoints.ts";
import { runTraining } from "../engine/training-run.ts";
import { withRowShape } from "../graph/open-input.ts";
import type { Job } from "../jobs/job.ts";
import { type PublishTarget, publishTarget } from "../jobs/publish-target.ts";
import { checkSpec } from "../jobs/train-spec.ts";
import { type VersionFacts, versionFacts } from "../work/version-facts.ts";
import { type DatasetTask, withDatasetFile } from "./dataset-file.ts";
import { filesAt } from "./model-files.ts";
import type { TaskHost, TaskNews } from "./task-host.ts";

/** A training, by the files that it needs. */
export interface TrainTask extends DatasetTask {
  readonly spec: TrainSpec__Output;
  readonly job: Pick<Job, "id" | "scheduledEpochs">;
  /** How long the attempts before have run, in milliseconds. */
  readonly ranMs: number;
  /** The files of the version that it begins with, where it has one. */
  readonly initial?: ModelPaths | undefined;
  /** Where states of the training are kept, and how often. */
  readonly checkpoints: CheckpointSettings;
  /** The file of the state that it goes on from. */
  readonly resumeFrom?: string | undefined;
}

/** A trained network. */
export interface TrainResult {
  /** The ONNX file, in the folder of the checkpoints. */
  readonly modelPath: string;
  readonly facts: VersionFacts;
  /** Where it is to be registered, and what its gate needs. */
  readonly target: PublishTarget;
}

/** Reads and checks the data, and trains; what it throws is the job's failure. */
export async function train(task: TrainTask, { say, pause }: TaskHost): Promise<TrainResult> {
  const beganMs = performance.now();
  const { spec, job, compute, checkpoints, resumeFrom } = task;
  const checked = checkSpec(spec, compute, task.initial && (await filesAt(task.initial)));
  const { data, form } = checked;
  const place = { memoryBytesMax: (compute.memoryBytesMax ?? Number.POSITIVE_INFINITY) / 4, folder: task.folder };
  const read = await withDatasetFile(task, (file) => readDataset(file, data, form, place));
  const prepared = { ...read, metadata: pixelMetadata(data.format) };
  const network = withRowShape(checked.plan.network, prepared.rowShape);
  const plan = { ...checked.plan, network, scheduledEpochs: job.scheduledEpochs };
  say({ kind: "told", level: "info", text: textOf(prepared) });
  const outcome = await runTraining(plan, prepared, {
    ...{ pause, checkpoints, resumeFrom },
    onStart: (memory) => say({ kind: "started", memory }),
    onProgress: (progress) => say({ kind: "progress", progress }),
    onCheckpoint: (checkpoint) => say({ kind: "checkpoint", checkpoint }),
    onCheckpointLost: (why) => say({ kind: "told", level: "warn", text: `${why}; the training goes on` }),
    onResume: (step, why) => say(resumed(step, why)),
  });
  const modelPath = join(checkpoints.folder, "model.onnx");
  await writeFile(modelPath, outcome.model);
  const durationMs = task.ranMs + performance.now() - beganMs;
  const measured = { ...outcome, metrics: { ...outcome.metrics, durationMs } };
  const facts = versionFacts(spec, job, { ...checked, plan }, measured, prepared);
  return { modelPath, facts, target: publishTarget(checked) };
}

function textOf({ training, validation, leftOutCount = 0 }: PreparedData): string {
  const [{ rowCount, featureCount }, heldOut] = [openRows(training), openRows(validation).rowCount];
  const kept = training.kind === "disk" ? ", on disk because they are more than a quarter of its memory" : "";
  return `the training has ${rowCount} rows of ${featureCount} numbers${kept}; ${heldOut} are held out, ${leftOutCount} left out`;
}

function resumed(step: number, why: string | undefined): TaskNews {
  if (step > 0 && why !== undefined) return { kind: "told", level: "warn", text: `resumed from step ${step} ${why}` };
  if (why === undefined) return { kind: "told", level: "info", text: `resumed from step ${step}` };
  return { kind: "told", level: "warn", text: `begun at the beginning: the checkpoint cannot be used: ${why}` };
}
