import { ServiceError } from "../../../../lib/errors.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import { scoresOf } from "../network.ts";
import { specError } from "../spec-error.ts";
import { checkNumbers, type LossKind, targetError } from "./loss-kind.ts";

/**
 * The mean of `−log p(class)`, as `torch.nn.CrossEntropyLoss`, over rows, or over all places of a row where it has several. The network's
 * scores are taken before a final softmax, through LogSoftmax: the same value as the logarithm of the softmax, without its overflow.
 * The mean is weighted by the classes; a batch in which nothing counts has the loss 0.
 */
export interface CrossEntropy {
  readonly kind: "cross_entropy";
  /** The share of each target that is spread evenly over all classes, in [0, 1); 0 by default (Szegedy et al. 2016). */
  readonly labelSmoothing?: number | undefined;
  /** One for each class, at least 0; all 1 by default. */
  readonly classWeights?: readonly number[] | undefined;
  /** A class index whose rows do not count, such as -1. */
  readonly ignoreIndex?: number | undefined;
}

/**
 * The mean over rows and outputs of `−t log p − (1 − t) log(1 − p)`, as `torch.nn.BCEWithLogitsLoss`: `softplus(x) − x·t` of the
 * scores x before a final sigmoid.
 */
export interface BinaryCrossEntropy {
  readonly kind: "binary_cross_entropy";
}

/** The mean over rows of `Σ t (log t − log p)`, as `torch.nn.KLDivLoss("batchmean")`, of the scores before a final softmax. */
export interface KlDivergence {
  readonly kind: "kl_divergence";
}

export const crossEntropy: LossKind<CrossEntropy> = {
  check({ labelSmoothing = 0, classWeights, ignoreIndex }, { outputShape }) {
    const classCount = classCountOf(outputShape);
    if (classCount < 2) {
      throw specError("the last axis of the network's output", classCount, "at least 2 classes for cross_entropy");
    }
    if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
      throw specError("loss.label_smoothing", labelSmoothing, "a number in [0, 1)");
    }
    if (classWeights !== undefined && classWeights.length !== classCount) {
      throw specError("loss.class_weights", `a list of ${classWeights.length}`, `${classCount}, one for each class`);
    }
    for (const [index, weight] of (classWeights ?? []).entries()) {
      if (!(weight >= 0 && weight < Infinity)) {
        throw specError(`loss.class_weights[${index}]`, weight, "a finite number of at least 0");
      }
    }
    if (ignoreIndex !== undefined && !Number.isInteger(ignoreIndex)) {
      throw specError("loss.ignore_index", ignoreIndex, "a whole number");
    }
  },
  checkTargets({ ignoreIndex }, targets, rowCount, outputShape, nameOf) {
    if (!(targets instanceof Int32Array)) throw targetError("numbers", "class indices, for the loss cross_entropy");
    const [classCount, places] = [classCountOf(outputShape), product(outputShape.slice(0, -1))];
    if (targets.length !== rowCount * places) {
      throw targetError(`${targets.length} labels`, `${rowCount * places}, ${places === 1 ? "one" : places} per row`);
    }
    const index = targets.findIndex((label) => (label < 0 || label >= classCount) && label !== ignoreIndex);
    if (index < 0) return;
    const row = Math.floor(index / places);
    const place = places === 1 ? `the label of ${nameOf(row)}` : `label ${index % places} of ${nameOf(row)}`;
    const others = ignoreIndex === undefined ? "" : `, or ${ignoreIndex} for one that does not count`;
    throw new ServiceError(
      "DATASET_INVALID",
      `${place} is ${targets[index]}; needed: a class index in [0, ${classCount - 1}]${others}`,
    );
  },
  targetForm: (outputShape) => ({ dataType: "INT32", rowShape: outputShape.slice(0, -1) }),
  values({ labelSmoothing = 0, classWeights, ignoreIndex }, graph, output, targets) {
    const scores = scoresOf(output, "Softmax");
    const { dataType, shape } = scores;
    const classCount = Number(shape.at(-1));
    const classes = graph.constant("INT32", [classCount], [...Array(classCount).keys()]);
    const isClass = graph.cast(graph.equal(graph.unsqueeze(targets, [targets.shape.length]), classes), dataType);
    const weights = classWeights && graph.cast(graph.constant("FP32", [classCount], classWeights), dataType);
    const weighted = (value: Value) => (weights === undefined ? value : graph.mul(value, weights));
    // An ignored label may be that of a class.
    const counts = ignoreIndex === undefined ? undefined : countedRows(graph, targets, ignoreIndex);
    const counted = (value: Value) =>
      counts === undefined ? value : graph.mul(value, graph.cast(counts, value.dataType));
    const total =
      weights === undefined && counts === undefined
        ? undefined
        : atLeastSome(graph, graph.reduceSum(counted(graph.reduceSum(weighted(isClass), [-1]))));
    const mean = (value: Value) =>
      total === undefined ? graph.reduceMean(value) : graph.div(graph.reduceSum(counted(value)), total);
    const logShares = weighted(graph.logSoftmax(scores));
    const own = mean(graph.reduceSum(graph.mul(logShares, isClass), [-1]));
    const spread = () =>
      graph.mul(mean(graph.reduceSum(logShares, [-1])), graph.scalar(labelSmoothing / classCount, dataType));
    const smoothed =
      labelSmoothing === 0 ? own : graph.add(graph.mul(own, graph.scalar(1 - labelSmoothing, dataType)), spread());
    const best = graph.cast(graph.argMax(scores, shape.length - 1), "INT32");
    return {
      mean: graph.neg(smoothed),
      scores,
      correctCount: graph.reduceSum(counted(graph.cast(graph.equal(best, targets), "FP32"))),
    };
  },
};

export const binaryCrossEntropy: LossKind<BinaryCrossEntropy> = {
  check: () => undefined,
  checkTargets(_, targets, rowCount, outputShape, nameOf) {
    checkNumbers("binary_cross_entropy", targets, rowCount, outputShape);
    const index = targets.findIndex((target) => target < 0 || target > 1);
    if (index < 0) return;
    const place = `target ${index % product(outputShape)} of ${nameOf(Math.floor(index / product(outputShape)))}`;
    throw new ServiceError("DATASET_INVALID", `${place} is ${targets[index]}; needed: a number in [0, 1]`);
  },
  targetForm: (outputShape) => ({ dataType: "FP32", rowShape: outputShape }),
  values(_, graph, output, targets) {
    const scores = scoresOf(output, "Sigmoid");
    const each = graph.sub(graph.node("Softplus", [scores]), graph.mul(scores, targets));
    return { mean: graph.reduceMean(each), scores };
  },
};

export const klDivergence: LossKind<KlDivergence> = {
  check: () => undefined,
  checkTargets(_, targets, rowCount, outputShape, nameOf) {
    checkNumbers("kl_divergence", targets, rowCount, outputShape);
    const classCount = classCountOf(outputShape);
    for (let index = 0; index < targets.length; index += classCount) {
      const shares = targets.subarray(index, index + classCount);
      const sum = Array.from(shares).reduce((total, share) => total + share, 0);
      if (shares.every((share) => share >= 0) && Math.abs(sum - 1) <= sumTolerance) continue;
      const seen = `[${shares.subarray(0, 8).join(", ")}${classCount > 8 ? ", …" : ""}], whose sum is ${sum}`;
      throw new ServiceError(
        "DATASET_INVALID",
        `the targets of ${nameOf(Math.floor(index / product(outputShape)))} are ${seen}; needed: numbers of at least 0 whose sum is 1`,
      );
    }
  },
  targetForm: (outputShape) => ({ dataType: "FP32", rowShape: outputShape }),
  values(_, graph, output, targets) {
    const scores = scoresOf(output, "Softmax");
    const number = (value: number) => graph.scalar(value, targets.dataType);
    const isSome = graph.greater(targets, number(0));
    // t log t is 0 where t is.
    const known = graph.log(graph.where(isSome, targets, number(1)));
    const each = graph.mul(targets, graph.sub(known, graph.logSoftmax(scores)));
    return { mean: graph.reduceMean(graph.reduceSum(each, [-1])), scores };
  },
};

function classCountOf(outputShape: readonly number[]): number {
  return outputShape.at(-1) ?? 1;
}

/** Targets are single precision, and may have been rounded in a file. */
const sumTolerance = 1e-3;

/** Which targets are another label than that, as a condition. */
function countedRows(graph: GraphBuilder, targets: Value, ignoreIndex: number): Value {
  return graph.node("Not", [graph.equal(targets, graph.scalar(ignoreIndex, "INT32"))]);
}

/** The number itself, or 1 where it is 0. */
function atLeastSome(graph: GraphBuilder, total: Value): Value {
  const [zero, one] = [graph.scalar(0, total.dataType), graph.scalar(1, total.dataType)];
  return graph.where(graph.greater(total, zero), total, one);
}
