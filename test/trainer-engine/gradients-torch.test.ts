import { readFileSync } from "node:fs";
import { expect } from "chai";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Attributes, Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import type { Operator } from "../../lib/onnx/operators/operators.ts";
import { openSession, type RuntimeTensor, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { type FixtureTensor, type GradientFixture, gradientFixtures } from "../fixtures/gradients-torch.ts";
import { fileOf } from "../repository.ts";
import { documentPath, operatorsDocument } from "./operators-document.ts";

describe("outputs and gradients as PyTorch's", () => {
  for (const [family, cases] of Object.entries(gradientFixtures())) {
    describe(`of ${family}`, () => {
      for (const [index, fixture] of cases.entries()) {
        it(`${titleOf(fixture)}, case ${index}`, () => agrees(fixture));
      }
    });
  }
});

describe("docs/training-operators.md", () => {
  it("is what the tables of operators, rules, cases and fixtures say", () => {
    expect(readFileSync(fileOf(documentPath), "utf8")).to.equal(operatorsDocument());
  });
});

function titleOf({ operator, attributes }: GradientFixture): string {
  const words = Object.entries(attributes).map(([name, { value }]) => `${name} ${value}`);
  return [operator, ...words].join(", ");
}

/** Tensors of floats are inputs whose gradients are compared; those of integers and truth values are constants. */
async function agrees({
  operator,
  attributes,
  inputs,
  outputs,
  weights,
  gradients: slopes,
}: GradientFixture): Promise<void> {
  const graph = new GraphBuilder("fixture");
  const values = inputs.map((input, index) => input && operandOf(graph, input, `x${index}`));
  const given = graph.many(
    operator as Operator,
    values.map((value) => value ?? undefined),
    attributes as Attributes,
    outputs.length,
  );
  const loss = given
    .flatMap((output, index) => {
      const weight = weights[index];
      return weight === null ? [] : [graph.reduceSum(graph.mul(output, constantOf(graph, weight)))];
    })
    .reduce(graph.add);
  const moved = values.flatMap((value, index) =>
    value && slopes[index] ? [{ value, slope: slopes[index], index }] : [],
  );
  const found = gradients(
    graph,
    loss,
    moved.map(({ value }) => value),
  );
  for (const [index, output] of given.entries()) graph.output(`y${index}`, graph.identity(output));
  for (const [place, { index }] of moved.entries()) graph.output(`slope${index}`, found[place]);

  const session = await openSession(writeModel(modelOf(graph.graph())), 1);
  try {
    const results = await session.run(feedsOf(inputs));
    for (const [index, output] of outputs.entries()) expectEqual(results[`y${index}`], output, `output ${index}`);
    for (const { slope, index } of moved)
      expectEqual(results[`slope${index}`], slope, `the gradient of input ${index}`);
  } finally {
    await session.release();
  }
}

function operandOf(graph: GraphBuilder, tensor: FixtureTensor, name: string): Value {
  return tensor.dataType === "FP32" ? graph.input(name, "FP32", tensor.shape) : constantOf(graph, tensor);
}

function constantOf(graph: GraphBuilder, { dataType, shape, elements }: FixtureTensor): Value {
  return graph.constant(dataType, shape, elements);
}

function feedsOf(inputs: readonly (FixtureTensor | null)[]): RuntimeTensors {
  const feeds = inputs.flatMap((input, index): [string, RuntimeTensor][] =>
    input?.dataType === "FP32"
      ? [[`x${index}`, { dataType: "FP32", shape: input.shape, elements: Float32Array.from(input.elements) }]]
      : [],
  );
  return Object.fromEntries(feeds);
}

/** Within a few roundings of single precision. */
function expectEqual({ shape, elements }: RuntimeTensor, expected: FixtureTensor, what: string): void {
  expect(shape, `the shape of ${what}`).to.deep.equal(expected.shape);
  for (const [place, number] of expected.elements.entries()) {
    expect(elements[place], `${what}, element ${place}`).to.be.closeTo(number, 2e-6 * Math.max(1, Math.abs(number)));
  }
}
