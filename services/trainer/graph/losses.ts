import { ServiceError } from "../../../lib/errors.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Dimension, Value } from "../../../lib/onnx/graph.ts";
import type { Network, NetworkOutput } from "./layers.ts";
import { specError } from "./spec-error.ts";

/** What training makes small. */
export type Loss =
  /** The mean of `(output − target)²` over all rows and outputs, as `torch.nn.MSELoss`. */
  | { readonly kind: "mse" }
  /**
   * The mean over rows of `−log p(class)`, as `torch.nn.CrossEntropyLoss`. The network's scores are taken before a final
   * softmax, through LogSoftmax: the same value as the logarithm of the softmax, without its overflow.
   */
  | { readonly kind: "cross_entropy" };

/** A loss in a graph: `mean` is the scalar to differentiate; `correctCount` the rows whose best score is their class. */
export interface LossValues {
  readonly mean: Value;
  readonly correctCount?: Value;
}

/** What a batch's targets look like: the tensor of one row, and how it is stored. */
export interface TargetForm {
  readonly dataType: "FP32" | "INT32";
  readonly rowShape: readonly number[];
}

/** Throws SPEC_INVALID for an unknown loss, or one that the network's output cannot feed. */
export function checkLoss(loss: Loss, network: Network): void {
  if (!Object.hasOwn(lossKinds, loss.kind)) {
    throw specError("loss.kind", loss.kind, `one of ${Object.keys(lossKinds).join(", ")}`);
  }
  if (loss.kind === "cross_entropy" && network.outputSize < 2) {
    throw specError("the last layer's output_size", network.outputSize, "at least 2 classes for cross_entropy");
  }
}

/** Throws DATASET_INVALID for targets of the wrong kind, width or range; names the first row at fault. */
export function checkTargets(
  loss: Loss,
  network: Network,
  data: { readonly rowCount: number; readonly targets: Float32Array | Int32Array },
): void {
  lossKinds[loss.kind].checkTargets(data.targets, data.rowCount, network.outputSize);
}

/** How a batch's targets are stored for `loss`. */
export function targetForm(loss: Loss, network: Network): TargetForm {
  return lossKinds[loss.kind].targetForm(network.outputSize);
}

/** Appends the loss of a batch to a graph; `targets` has the shape [rows, ...rowShape] of {@link targetForm}. */
export function lossValues(graph: GraphBuilder, loss: Loss, output: NetworkOutput, targets: Value): LossValues {
  return lossKinds[loss.kind].values(graph, output, targets);
}

interface LossKind {
  checkTargets(targets: Float32Array | Int32Array, rowCount: number, outputSize: number): void;
  targetForm(outputSize: number): TargetForm;
  values(graph: GraphBuilder, output: NetworkOutput, targets: Value): LossValues;
}

const lossKinds = {
  mse: {
    checkTargets(targets, rowCount, outputSize) {
      if (!(targets instanceof Float32Array)) throw targetError("class indices", "numbers, for the loss mse");
      const width = targets.length / rowCount;
      if (width !== outputSize) throw targetError(`${width} wide`, `${outputSize} wide, the network's output`);
    },
    targetForm: (outputSize) => ({ dataType: "FP32", rowShape: [outputSize] }),
    values(graph, { output }, targets) {
      const difference = graph.sub(output, targets);
      return { mean: graph.reduceMean(graph.mul(difference, difference)) };
    },
  },
  cross_entropy: {
    checkTargets(targets, rowCount, outputSize) {
      if (!(targets instanceof Int32Array)) throw targetError("numbers", "class indices, for the loss cross_entropy");
      if (targets.length !== rowCount) throw targetError(`${targets.length} labels`, `${rowCount}, one per row`);
      const row = targets.findIndex((label) => label < 0 || label >= outputSize);
      if (row >= 0) {
        throw new ServiceError(
          "DATASET_INVALID",
          `the label of row ${row} is ${targets[row]}; needed: a class index in [0, ${outputSize - 1}]`,
        );
      }
    },
    targetForm: () => ({ dataType: "INT32", rowShape: [] }),
    values(graph, { scores }, targets) {
      const classCount: Dimension = scores.shape[1];
      const classes = graph.constant(
        "INT32",
        [Number(classCount)],
        Array.from({ length: Number(classCount) }, (_, i) => i),
      );
      const isClass = graph.equal(graph.unsqueeze(targets, [1]), classes);
      const logProbability = graph.mul(graph.logSoftmax(scores), graph.cast(isClass, scores.dataType));
      const best = graph.cast(graph.argMax(scores, 1), "INT32");
      return {
        mean: graph.neg(graph.reduceMean(graph.reduceSum(logProbability, [1]))),
        correctCount: graph.reduceSum(graph.cast(graph.equal(best, targets), "FP32")),
      };
    },
  },
} as const satisfies Record<Loss["kind"], LossKind>;

function targetError(seen: string, needed: string): ServiceError {
  return new ServiceError("DATASET_INVALID", `the dataset's targets are ${seen}; needed: ${needed}`);
}
