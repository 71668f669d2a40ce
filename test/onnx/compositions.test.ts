import { expect } from "chai";
import { float, int } from "../../lib/onnx/attributes.ts";
import { elementsOf, elementTypes, type NumericDataType } from "../../lib/onnx/element-type.ts";
import { attributeProto, modelOf } from "../../lib/onnx/export.ts";
import type { Attributes } from "../../lib/onnx/graph.ts";
import { appendedGraph } from "./appended-model.ts";
import { type Given, outputsOf } from "./running-model.ts";

const floats = (...shape: number[]) => numbers("FP32", shape, (index) => Math.sin(index + 1));

function numbers(dataType: NumericDataType, shape: readonly number[], at: (index: number) => number): Given {
  const length = shape.reduce((product, size) => product * size, 1);
  return {
    dataType,
    shape,
    elements: elementsOf(
      dataType,
      Array.from({ length }, (_, index) => at(index)),
    ),
  };
}

const apart = [floats(2, 2, 3, 4), floats(2, 2, 5, 4), floats(2, 2, 5, 4)];
const heads = { q_num_heads: int(2), kv_num_heads: int(2) };
const cases: Readonly<Record<string, readonly [operator: string, inputs: readonly Given[], attributes?: Attributes]>> =
  {
    "Sum of three": ["Sum", [floats(2, 3), floats(3), floats(2, 1)]],
    "Sum of one": ["Sum", [floats(2, 3)]],
    "Mean of three": ["Mean", [floats(2, 3), floats(3), floats(2, 1)]],
    Swish: ["Swish", [floats(2, 3)], { alpha: float(0.5) }],
    CastLike: ["CastLike", [floats(2, 3), numbers("FP64", [1], () => 0)]],
    "Attention with heads apart": ["Attention", apart],
    "Attention with a scale of its own": ["Attention", apart, { scale: float(0.3) }],
    "Attention with heads within": ["Attention", [floats(2, 3, 8), floats(2, 3, 8), floats(2, 3, 8)], heads],
    "Attention to what came before": [
      "Attention",
      [floats(2, 3, 8), floats(2, 3, 8), floats(2, 3, 8)],
      { ...heads, is_causal: int(1) },
    ],
    "Attention with a mask that is added": ["Attention", [...apart, floats(3, 5)]],
    "Attention with a mask of what is seen": [
      "Attention",
      [...apart, numbers("BOOL", [3, 5], (index) => Number(index % 3 < 2))],
    ],
  };

describe("an operator that is written out by others", () => {
  for (const [title, [operator, inputs, attributes = {}]] of Object.entries(cases)) {
    it(`gives what the runtime gives: ${title}`, async () => {
      const model = modelFrom(operator, inputs, attributes);
      const graph = appendedGraph(model);
      expect(graph.nodes.map((node) => node.operator)).to.not.include(operator);
      const given = Object.fromEntries(inputs.map((each, index) => [`x${index}`, each]));
      const [{ y: before }, { y: after }] = [await outputsOf(model, given), await outputsOf(modelOf(graph), given)];
      expect([after!.dataType, after!.shape]).to.deep.equal([before!.dataType, before!.shape]);
      for (const [index, element] of Array.from(before!.elements, Number).entries()) {
        expect(Number(after!.elements[index])).to.be.closeTo(element, 1e-5);
      }
    });
  }

  it("stays as it is where it does more: Attention with fewer heads of keys", () => {
    const few = [floats(2, 4, 3, 4), floats(2, 2, 5, 4), floats(2, 2, 5, 4)];
    const { nodes } = appendedGraph(modelFrom("Attention", few, {}));
    expect(nodes.map(({ operator }) => operator)).to.deep.equal(["Attention"]);
  });
});

function modelFrom(opType: string, inputs: readonly Given[], attributes: Attributes) {
  const attribute = Object.entries(attributes).map(([name, each]) => attributeProto(name, each));
  const input = inputs.map(({ dataType, shape }, index) => {
    const elemType = elementTypes[dataType as NumericDataType];
    const dim = shape.map((dimValue) => ({ dimValue }));
    return { name: `x${index}`, type: { tensorType: { elemType, shape: { dim } } } };
  });
  const elemType = opType === "CastLike" ? elementTypes.FP64 : elementTypes.FP32;
  const node = { name: opType, opType, input: input.map(({ name }) => name), output: ["y"], attribute };
  const graph = { name: opType, node: [node], input, output: [{ name: "y", type: { tensorType: { elemType } } }] };
  return { irVersion: 11, opsetImport: [{ domain: "", version: 24 }], graph };
}
