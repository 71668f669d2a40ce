import type { EvaluateSpec__Output } from "../../../lib/gen/amaas/trainer/v1/EvaluateSpec.ts";
import type { Job__Output } from "../../../lib/gen/amaas/trainer/v1/Job.ts";
import type { PredictSpec__Output } from "../../../lib/gen/amaas/trainer/v1/PredictSpec.ts";
import type { SweepSpec__Output } from "../../../lib/gen/amaas/trainer/v1/SweepSpec.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { specError } from "../graph/spec-error.ts";

/** What each kind of work is told, as it came; by the names of the contract's `oneof work`. */
export interface WorkSpecs {
  readonly train: TrainSpec__Output;
  readonly evaluate: EvaluateSpec__Output;
  readonly predict: PredictSpec__Output;
  readonly sweep: SweepSpec__Output;
}
export type WorkKind = keyof WorkSpecs;

/** What a job is to do. */
export type Work<Kind extends WorkKind = WorkKind> = {
  [One in Kind]: { readonly kind: One; readonly spec: WorkSpecs[One] };
}[Kind];

/** What a caller asks for; SPEC_INVALID where nothing is, or more than is kept of a job. */
export function workOf(job: Pick<Job__Output, WorkKind | "work"> | null | undefined): Work {
  const kind = job?.work;
  if (!job || kind === undefined) throw specError("job.work", "not set", `one of ${workKinds.join(", ")}`);
  const spec = job[kind]!;
  const { length } = encodeMessage("trainer", messageTypes[kind], spec);
  if (length > specBytesMax) throw specError(`job.${kind}`, `${length} bytes`, `at most ${specBytesMax} bytes`);
  return { kind, spec } as Work;
}

/** The names of the artifacts that a job reads and that must stay until it has ended, each once. */
export function datasetsOf(work: Work): readonly string[] {
  const names = (datasets[work.kind] as (spec: Work["spec"]) => readonly (string | undefined)[])(work.spec);
  return [...new Set(names.filter((name): name is string => Boolean(name)))];
}

/** The metric by which the trials of a sweep are compared. */
export function sweepMetricOf({ metric }: SweepSpec__Output): string {
  return metric || "validation_loss";
}

const datasets: { readonly [Kind in WorkKind]: (spec: WorkSpecs[Kind]) => readonly (string | undefined)[] } = {
  train: ({ dataset, gate }) => [dataset, gate?.dataset],
  evaluate: ({ dataset }) => [dataset],
  predict: ({ dataset }) => [dataset],
  sweep: ({ base }) => [base?.dataset, base?.gate?.dataset],
};
const messageTypes: Readonly<Record<WorkKind, string>> = {
  train: "amaas.trainer.v1.TrainSpec",
  evaluate: "amaas.trainer.v1.EvaluateSpec",
  predict: "amaas.trainer.v1.PredictSpec",
  sweep: "amaas.trainer.v1.SweepSpec",
};
/** Of a specification: it is in the record of its job, and in each event of its state. */
const specBytesMax = 1024 ** 2;
const workKinds = Object.keys(datasets);
