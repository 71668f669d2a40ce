import { ServiceError } from "../../../lib/errors.ts";
import type { EarlyStopping__Output } from "../../../lib/gen/amaas/trainer/v1/EarlyStopping.ts";
import type { Loss__Output } from "../../../lib/gen/amaas/trainer/v1/Loss.ts";
import type { LossSettings__Output } from "../../../lib/gen/amaas/trainer/v1/LossSettings.ts";
import type { Optimizer__Output } from "../../../lib/gen/amaas/trainer/v1/Optimizer.ts";
import type { Schedule__Output } from "../../../lib/gen/amaas/trainer/v1/Schedule.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { parseAliasId, parseArtifactName, parseModelName } from "../../../lib/resource-names.ts";
import { type OpenForm, openForm, type RowForm, rowForm } from "../datasets/columns/row-form.ts";
import type { Compute } from "../engine/device.ts";
import { checkPlan, checkRun, type TrainingPlan } from "../engine/training-plan.ts";
import { hasOpenInput } from "../graph/open-input.ts";
import { specError } from "../graph/spec-error.ts";
import { type CheckedData, checkDataSpec } from "./data-spec.ts";
import { deviceOf } from "./device-message.ts";
import { type Gate, gateOf } from "./gate.ts";
import { checkLimits, checkpointPolicyOf } from "./job-limits.ts";
import { type InitialModel, networkSpecOf } from "./network-fields.ts";

/** A checked specification: every name is well-formed and the plan can be trained on fitting data, which may still have to say what goes in. */
export interface CheckedSpec {
  readonly model: string;
  readonly datasetSha256: string;
  /** How the file is read, and what its columns are for. */
  readonly data: CheckedData;
  /** What becomes of its rows. */
  readonly form: RowForm | OpenForm;
  /** Undefined where no alias is to be moved. */
  readonly alias: string | undefined;
  /** What the version must reach before the alias moves. */
  readonly gate: Gate | undefined;
  /** The version that the network is. */
  readonly initialVersion: string | undefined;
  /** What the job may take. */
  readonly limits: TrainSpec__Output["limits"];
  readonly plan: TrainingPlan;
}

/**
 * Checks all of a specification that can be checked without the data; throws SPEC_INVALID or REQUEST_INVALID. `initial` is as in {@link
 * networkSpecOf}.
 */
export function checkSpec(spec: TrainSpec__Output, compute: Compute, initial: InitialModel | undefined): CheckedSpec {
  const model = parseModelName(spec.model, "model");
  const plan: TrainingPlan = {
    network: networkSpecOf(spec, initial),
    loss: lossOf(spec.loss, spec.lossSettings),
    optimizer: optimizerOf(spec.optimizer),
    schedule: scheduleOf(spec.schedule),
    clip: spec.clip ? { norm: spec.clip.norm, value: spec.clip.value } : undefined,
    averageDecay: spec.averageDecay,
    accumulatedParts: spec.accumulatedParts,
    groups: atMost("groups", spec.groups).map(({ parameters, rateFactor, weightDecay }) => ({
      parameters,
      rateFactor,
      weightDecay,
    })),
    frozen: atMost("frozen", spec.frozen),
    earlyStopping: earlyStoppingOf(spec.earlyStopping),
    keepBest: spec.keepBest,
    epochCount: spec.epochs,
    batchRows: spec.batchSize,
    seed: spec.seed,
    validationShare: spec.validationShare,
    threadCount: compute.threadCount,
    device: deviceOf[spec.device] ?? compute.device,
    memoryBytesMax: compute.memoryBytesMax,
  };
  const form = formOf(plan);
  const data = checkDataSpec(spec.data, form, plan);
  checkLimits(spec.limits);
  checkpointPolicyOf(spec.checkpoints);
  if (spec.targetAlias) parseAliasId(spec.targetAlias, "target_alias");
  const alias = spec.targetAlias || undefined;
  const hasHeldOut = plan.validationShare > 0 || spec.data?.split?.kind === "given";
  const gate = gateOf(spec.gate, { loss: plan.loss, alias, hasHeldOut });
  return {
    model,
    datasetSha256: parseArtifactName(spec.dataset, "dataset"),
    data,
    form,
    alias,
    gate,
    initialVersion: spec.initialVersion || undefined,
    limits: spec.limits,
    plan,
  };
}

function formOf(plan: TrainingPlan): RowForm | OpenForm {
  if (!hasOpenInput(plan.network)) return rowForm(checkPlan(plan), plan.loss);
  checkRun(plan);
  return openForm(plan.network, plan.loss);
}

/** The loss with its settings; SPEC_INVALID for settings that it does not have. */
export function lossOf(loss: Loss__Output, settings: LossSettings__Output | null | undefined): TrainingPlan["loss"] {
  const kinds = {
    LOSS_UNSPECIFIED: undefined,
    LOSS_MEAN_SQUARED_ERROR: "mse",
    LOSS_CROSS_ENTROPY: "cross_entropy",
    LOSS_MEAN_ABSOLUTE_ERROR: "mae",
    LOSS_HUBER: "huber",
    LOSS_BINARY_CROSS_ENTROPY: "binary_cross_entropy",
    LOSS_KL_DIVERGENCE: "kl_divergence",
    LOSS_NEXT_TOKEN: "next_token",
  } as const satisfies Record<Loss__Output, string | undefined>;
  const kind = kinds[loss];
  if (kind === undefined) throw specError("loss", loss, `one of ${Object.keys(kinds).slice(1).join(", ")}`);
  const { huberDelta: delta, labelSmoothing, classWeights = [], ignoreIndex } = settings ?? {};
  const weights = classWeights.length === 0 ? undefined : classWeights;
  const fields = {
    huber_delta: delta,
    label_smoothing: labelSmoothing,
    class_weights: weights,
    ignore_index: ignoreIndex,
  };
  for (const [field, value] of Object.entries(fields)) {
    const isOwn = kind === (field === "huber_delta" ? "huber" : "cross_entropy");
    if (value !== undefined && !isOwn) throw specError(`loss_settings.${field}`, value, `no value, for ${loss}`);
  }
  if (kind === "huber") return { kind, delta };
  return kind === "cross_entropy" ? { kind, labelSmoothing, classWeights: weights, ignoreIndex } : { kind };
}

function optimizerOf(optimizer: Optimizer__Output | null): TrainingPlan["optimizer"] {
  switch (optimizer?.kind) {
    case "sgd":
      return { kind: "sgd", ...optimizer.sgd! };
    case "adam":
    case "adamw": {
      const { learningRate, beta1, beta2, epsilon, weightDecay } = optimizer[optimizer.kind]!;
      return { kind: optimizer.kind, learningRate, beta1, beta2, epsilon, weightDecay };
    }
    case "rmsprop": {
      const { learningRate, decay, epsilon, momentum, centered, weightDecay } = optimizer.rmsprop!;
      return { kind: "rmsprop", learningRate, decay, epsilon, momentum, centered, weightDecay };
    }
    case "adagrad": {
      const { learningRate, rateDecay, epsilon, weightDecay } = optimizer.adagrad!;
      return { kind: "adagrad", learningRate, rateDecay, epsilon, weightDecay };
    }
    case undefined:
      throw missing("optimizer", "one of sgd, adam, adamw, rmsprop, adagrad");
  }
}

/** Whether there is such a metric is for the plan to say. */
function earlyStoppingOf(early: EarlyStopping__Output | null | undefined): TrainingPlan["earlyStopping"] {
  if (!early) return undefined;
  const { metric, patienceEpochs, leastChange } = early;
  return { metric: metric || "validation_loss", patienceEpochs, leastChange };
}

function scheduleOf(schedule: Schedule__Output | null): TrainingPlan["schedule"] {
  switch (schedule?.kind) {
    case "constant":
      return { kind: "constant", ...schedule.constant! };
    case "step":
      return { kind: "step", ...schedule.step! };
    case "cosine":
      return { kind: "cosine", ...schedule.cosine! };
    case "oneCycle":
      return { kind: "one_cycle", upShare: schedule.oneCycle!.upShare };
    case undefined:
      return undefined;
  }
}

function atMost<Entry>(field: string, entries: readonly Entry[] | undefined): readonly Entry[] {
  const { length } = entries ?? [];
  if (length > entriesMax) throw specError(field, `a list of ${length}`, `at most ${entriesMax}`);
  return entries ?? [];
}

const entriesMax = 64;

function missing(field: string, needed: string): ServiceError {
  return new ServiceError("SPEC_INVALID", `${field} is not set; needed: ${needed}`, { metadata: { field } });
}
