import type { ModelProto } from "../../../lib/onnx/model.ts";
import type { ClassForm } from "../metrics/metric-counter.ts";

/**
 * Whether an output tells classes by probabilities or by scores, by the operator that it comes from: probabilities come from a softmax, a
 * sigmoid, or a classifier of the domain ai.onnx.ml.
 */
export function classFormOf({ graph }: Pick<ModelProto, "graph">, output: string): ClassForm {
  const nodes = graph?.node ?? [];
  let name = output;
  // A graph has no cycles, but a file may.
  for (let steps = 0; steps <= nodes.length; steps++) {
    const node = nodes.find((each) => (each.output ?? []).includes(name));
    if (node === undefined) return "scores";
    const { opType = "", domain = "", input = [] } = node;
    if (domain === "ai.onnx.ml" || probabilities.has(opType)) return "probabilities";
    if (!movers.has(opType)) return "scores";
    name = input[0] ?? "";
  }
  return "scores";
}

const probabilities = new Set(["Softmax", "Sigmoid", "HardSigmoid"]);
/** Operators that give the values that they are given. */
const movers = new Set(["Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"]);
