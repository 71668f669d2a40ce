import { expect } from "chai";
import { int, ints, string } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../lib/onnx/graph.ts";
import type { Operator } from "../../lib/onnx/operators/operators.ts";
import { usedBy } from "../../lib/onnx/uses.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";

/** What of a node's inputs and outputs its gradient reads, and so has to be kept from the way forward. */
type Kept = "x" | "second" | "y" | "second output";

interface Example {
  readonly kept: readonly Kept[];
  readonly shape?: readonly (number | string)[];
  /** Of another input that moves too. */
  readonly second?: readonly (number | string)[];
  readonly others?: (graph: GraphBuilder) => readonly (Value | undefined)[];
  readonly attributes?: Attributes;
}

const images = ["rows", 4, 8, 8];
const inputOnly = { kept: ["x"] } as const;
const outputOnly = { kept: ["y"] } as const;
const two = { shape: ["rows", 6], second: ["rows", 6] } as const;

const examples: Partial<Record<Operator, Example>> = {
  Add: { ...two, kept: [] },
  Sub: { ...two, kept: [] },
  Mul: { ...two, kept: ["x", "second"] },
  Div: { ...two, kept: ["second", "y"] },
  Neg: { kept: [] },
  Identity: { kept: [] },
  Exp: outputOnly,
  Sqrt: outputOnly,
  Reciprocal: outputOnly,
  Log: inputOnly,
  Abs: inputOnly,
  Erf: inputOnly,
  Relu: outputOnly,
  Sigmoid: outputOnly,
  Tanh: outputOnly,
  HardSigmoid: outputOnly,
  Gelu: inputOnly,
  Softmax: outputOnly,
  LogSoftmax: outputOnly,
  MatMul: { shape: ["rows", 6], second: [6, 5], kept: ["x", "second"] },
  Gemm: { shape: ["rows", 6], second: [6, 5], kept: ["x", "second"] },
  Conv: { shape: images, second: [3, 4, 3, 3], kept: ["x", "second"] },
  MaxPool: { shape: images, attributes: { kernel_shape: ints([2, 2]) }, kept: ["x", "y"] },
  AveragePool: { shape: images, attributes: { kernel_shape: ints([2, 2]) }, kept: [] },
  GlobalAveragePool: { shape: images, kept: [] },
  Pad: { others: (graph) => [graph.sizes([0, 0, 0, 1, 1, 0])], kept: [] },
  Reshape: { others: (graph) => [graph.sizes([0, -1])], kept: [] },
  Flatten: { kept: [] },
  Transpose: { attributes: { perm: ints([1, 0, 2]) }, kept: [] },
  Unsqueeze: { others: (graph) => [graph.sizes([0])], kept: [] },
  Expand: { others: (graph) => [graph.sizes([2, 1, 1, 1])], kept: [] },
  Concat: { ...two, attributes: { axis: int(1) }, kept: [] },
  Slice: { others: (graph) => [graph.sizes([1]), graph.sizes([2]), graph.sizes([1])], kept: [] },
  Trilu: { kept: [] },
  ReduceSum: { kept: [] },
  ReduceMean: { others: (graph) => [graph.sizes([-1])], kept: [] },
  CumSum: { others: (graph) => [graph.scalar(1, "INT64")], kept: [] },
  LayerNormalization: { second: [4], kept: ["x", "second", "second output"] },
  Einsum: { ...two, attributes: { equation: string("ij,ij->i") }, kept: ["x", "second"] },
};

describe("of the way forward only what the gradient reads is kept:", () => {
  for (const [operator, example] of Object.entries(examples) as [Operator, Example][]) {
    it(`${operator}: ${example.kept.join(" and ") || "nothing"}`, () => {
      expect(keptBy(operator, example)).to.deep.equal(example.kept);
    });
  }
});

function keptBy(operator: Operator, { shape = ["rows", 3, 4], second, others, attributes }: Example): Kept[] {
  const graph = new GraphBuilder("kept");
  const parameter = graph.input("parameter", "FP32", shape);
  // Not inputs themselves, which are there anyway, also for their shape.
  const x = graph.exp(parameter);
  const more = second && graph.exp(graph.input("more", "FP32", second));
  const outputs = graph.many(operator, [x, more, ...(others?.(graph) ?? [])].filter(isGiven), attributes);
  const weights = graph.input("weights", "FP32", outputs[0].shape);
  const loss = graph.reduceSum(graph.mul(outputs[0], weights));
  const before = graph.nodes.length;
  gradients(graph, loss, second === undefined ? [x] : [x, more as Value]);
  const read = new Set(graph.nodes.slice(before).flatMap(usedBy));
  const names: readonly (readonly [Kept, Value | undefined])[] = [
    ["x", x],
    ["second", more],
    ["y", outputs[0]],
    ["second output", outputs[1]],
  ];
  return names.flatMap(([name, value]) => (value !== undefined && read.has(value) ? [name] : []));
}

function isGiven(value: Value | undefined): value is Value {
  return value !== undefined;
}
