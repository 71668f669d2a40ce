import { isFloat } from "../../../../lib/onnx/element-type.ts";
import type { Node, Value } from "../../../../lib/onnx/graph.ts";
import { UniqueNames } from "../../../../lib/onnx/unique-names.ts";
import type { Statistic } from "../network.ts";
import { specError } from "../spec-error.ts";
import { type ImportedModel, modelField } from "./imported-model.ts";

/** A tensor of a file that gradients may move. */
export interface Candidate {
  readonly value: Value;
  readonly name: string;
  readonly dataType: Value["dataType"];
  readonly shape: readonly number[];
  readonly elements: Value["elements"];
}

/** Inputs of operators that are settings rather than weights. */
const settings: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  Dropout: [1],
  OneHot: [2],
  Pad: [2],
  Resize: [1, 2],
};

/**
 * The tensors of floats that may be parameters: of at least one axis, since a single number is most often part of a formula, and finite,
 * since others are masks; not those that are settings of operators, nor those that prepare values, which an earlier training has found.
 */
export function candidatesOf({ nodes, held }: ImportedModel): readonly Candidate[] {
  const isSetting = ({ operator }: Node, index: number) => settings[operator]?.includes(index) ?? false;
  const set = new Set(nodes.flatMap((node) => node.inputs.filter((_, index) => isSetting(node, index))));
  const weights = new Set(nodes.flatMap((node) => node.inputs.filter((_, index) => !isSetting(node, index))));
  const candidates: Candidate[] = [];
  for (const [value, { dataType, shape, elements }] of held) {
    if (value.name.startsWith("preprocessing.")) continue;
    if (!isFloat(dataType) || shape.length === 0 || (set.has(value) && !weights.has(value))) continue;
    if (elements instanceof Float32Array && !areFinite(elements)) continue;
    candidates.push({ value, name: value.name, dataType, shape: shape.map(Number), elements });
  }
  return candidates;
}

/** By a plain loop: a file may have 10⁸ elements, and a call of a function for each takes seconds. */
function areFinite(elements: Float32Array): boolean {
  for (let index = 0; index < elements.length; index++) if (!Number.isFinite(elements[index])) return false;
  return true;
}

/** The first elements of a tensor that is trained. Throws SPEC_INVALID where they are not FP32, or not there. */
export function floatsOf({ dataType, elements }: Pick<Value, "dataType" | "elements">, name: string): Float32Array {
  if (dataType !== "FP32") throw specError(modelField, `a model whose parameter ${name} is ${dataType}`, "FP32");
  if (elements instanceof Float32Array) return elements;
  throw specError(modelField, `a model whose parameter ${name} is in a file of its own`, "that file beside it");
}

/** The running mean and variance of each BatchNormalization of a model, under names that neither two of them nor a candidate have. */
export function statisticsOf(
  { nodes, held }: ImportedModel,
  candidates: readonly Candidate[],
): ReadonlyMap<Node, readonly Statistic[]> {
  const names = new UniqueNames();
  for (const { name } of candidates) names.of(name);
  const statistics = new Map<Node, readonly Statistic[]>();
  for (const node of nodes.filter(({ operator, set }) => operator === "BatchNormalization" && set?.domain === "")) {
    const values = node.inputs.slice(3).map((value) => {
      const initial = held.get(value);
      if (initial === undefined) {
        const seen = `a model whose node ${node.name} (BatchNormalization) works out its running ${value.name}`;
        throw specError(modelField, seen, "running statistics that are initializers");
      }
      const name = names.of(value.name);
      const elements = floatsOf(initial, value.name);
      return { name, shape: initial.shape.map(Number), initial: { kind: "elements", elements } as const };
    });
    statistics.set(node, values);
  }
  return statistics;
}

/** Why there is nothing to train. */
export function nothingToTrain({ nodes, held }: ImportedModel): Error {
  const cast = nodes.find(({ operator, inputs: [x] }) => operator === "Cast" && x !== undefined && held.has(x));
  const weight = cast?.inputs[0];
  if (weight !== undefined && !isFloat(weight.dataType) && weight.shape.length > 0) {
    return specError(modelField, `a model whose parameter ${weight.name} is ${weight.dataType}`, "FP32");
  }
  const needed =
    "one whose output depends, by operators with gradients, on initializers of FP32 with at least one axis";
  return specError(modelField, "a model without parameters", needed);
}
