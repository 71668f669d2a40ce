import { expect } from "chai";
import { float, int, ints, string } from "../../lib/onnx/attributes.ts";
import { elementsOf, elementTypes, type NumericDataType } from "../../lib/onnx/element-type.ts";
import { attributeProto, modelOf } from "../../lib/onnx/export.ts";
import type { Attributes } from "../../lib/onnx/graph.ts";
import type { ModelProto } from "../../lib/onnx/model.ts";
import { appendedGraph } from "./appended-model.ts";
import { type Given, outputsOf } from "./running-model.ts";

/** An operator as an older set has it. */
interface Older {
  readonly operator: string;
  readonly version: number;
  readonly inputs: readonly (Given | undefined)[];
  readonly attributes?: Attributes;
  readonly outputCount?: number;
  readonly outputType?: NumericDataType;
}

const floats = (...shape: number[]) => numbers("FP32", shape, (index) => Math.sin(index + 1) + 1.5);
const whole = (...values: number[]) => numbers("INT64", [values.length], (index) => values[index]!);

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

const reductions = ["Max", "Mean", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"];
const older: Readonly<Record<string, Older>> = {
  ...Object.fromEntries(
    reductions.flatMap((kind) => {
      const reduction = { operator: `Reduce${kind}`, version: 13, inputs: [floats(2, 3, 4)] };
      return [
        [`Reduce${kind} over some axes`, { ...reduction, attributes: { axes: ints([0, -1]), keepdims: int(0) } }],
        [`Reduce${kind} over all axes`, reduction],
      ];
    }),
  ),
  "Split into as many parts as there are outputs": {
    operator: "Split",
    version: 13,
    inputs: [floats(2, 6)],
    attributes: { axis: int(1) },
    outputCount: 3,
  },
  "Split by sizes": { operator: "Split", version: 13, inputs: [floats(5), whole(2, 3)], outputCount: 2 },
  "BatchNormalization that does not train": {
    operator: "BatchNormalization",
    version: 13,
    inputs: [floats(2, 3, 4), floats(3), floats(3), floats(3), floats(3)],
    attributes: { epsilon: float(0.5) },
  },
  "Pad by constants": {
    operator: "Pad",
    version: 13,
    inputs: [floats(2, 3), whole(0, 1, 1, 0), numbers("FP32", [], () => 7)],
  },
  "Pad that reflects": {
    operator: "Pad",
    version: 13,
    inputs: [floats(2, 3), whole(0, 1, 0, 1)],
    attributes: { mode: string("reflect") },
  },
  ...Object.fromEntries(
    ["nearest", "linear", "cubic"].flatMap((mode) => {
      const resize = { operator: "Resize", version: 13, attributes: { mode: string(mode) } };
      const x = floats(1, 1, 4, 4);
      return [
        [
          `Resize by scales, ${mode}`,
          { ...resize, inputs: [x, undefined, numbers("FP32", [4], (index) => (index < 2 ? 1 : 2))] },
        ],
        [`Resize to sizes, ${mode}`, { ...resize, inputs: [x, undefined, undefined, whole(1, 1, 6, 3)] }],
      ];
    }),
  ),
  "AveragePool that rounds up": {
    operator: "AveragePool",
    version: 13,
    inputs: [floats(1, 2, 6, 6)],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), ceil_mode: int(1) },
  },
  "Dropout that does not train": { operator: "Dropout", version: 13, inputs: [floats(2, 3)] },
  Squeeze: { operator: "Squeeze", version: 13, inputs: [floats(2, 1, 3), whole(1)] },
  Unsqueeze: { operator: "Unsqueeze", version: 13, inputs: [floats(2, 3), whole(0, -1)] },
  Softmax: { operator: "Softmax", version: 13, inputs: [floats(2, 3, 4)], attributes: { axis: int(1) } },
  Clip: { operator: "Clip", version: 13, inputs: [floats(2, 3), numbers("FP32", [], () => 1)] },
  "Cast to whole numbers": {
    operator: "Cast",
    version: 13,
    inputs: [floats(2, 3)],
    attributes: { to: int(7) },
    outputType: "INT64",
  },
  "GroupNormalization with a scale for each group": {
    operator: "GroupNormalization",
    version: 18,
    inputs: [floats(2, 6, 4), floats(2), floats(2)],
    attributes: { num_groups: int(2) },
  },
  "RoiAlign without half pixels": {
    operator: "RoiAlign",
    version: 13,
    inputs: [floats(1, 2, 6, 6), numbers("FP32", [1, 4], (index) => [1, 0.5, 4, 5][index]!), whole(0)],
    attributes: { output_height: int(2), output_width: int(3) },
  },
  ...Object.fromEntries(
    ["bilinear", "bicubic", "nearest"].map((mode) => [
      `GridSample, ${mode}`,
      {
        operator: "GridSample",
        version: 16,
        inputs: [floats(1, 2, 4, 4), numbers("FP32", [1, 2, 3, 2], (index) => Math.sin(index))],
        attributes: { mode: string(mode) },
      },
    ]),
  ),
  "DFT along an axis": { operator: "DFT", version: 17, inputs: [floats(1, 4, 8, 1)], attributes: { axis: int(2) } },
  "DFT along the first axis": { operator: "DFT", version: 17, inputs: [floats(1, 8, 1)] },
};

describe("an operator of an older set", () => {
  for (const [title, each] of Object.entries(older)) {
    it(`gives what it gave, in the form of the newest: ${title}`, async () => {
      const model = modelFrom(each);
      const graph = appendedGraph(model);
      const inputs = inputsOf(each);
      const [before, after] = [await outputsOf(model, inputs), await outputsOf(modelOf(graph), inputs)];
      for (const [name, { shape, elements }] of Object.entries(before)) {
        expect(after[name]!.shape).to.deep.equal(shape);
        for (const [index, element] of Array.from(elements, Number).entries()) {
          expect(Number(after[name]!.elements[index])).to.be.closeTo(element, 1e-5 * (1 + Math.abs(element)));
        }
      }
    });
  }

  it("trains if it has the outputs of training: BatchNormalization", () => {
    const { inputs, ...rest } = older["BatchNormalization that does not train"]!;
    const { nodes } = appendedGraph(modelFrom({ ...rest, inputs, outputCount: 5 }, 3));
    expect(nodes[0]!.attributes).to.deep.include({ training_mode: int(1) });
    expect(nodes[0]!.outputs.map(({ shape }) => shape)).to.deep.equal([[2, 3, 4], [3], [3]]);
  });
});

function inputsOf({ inputs }: Older): Readonly<Record<string, Given>> {
  return Object.fromEntries(inputs.flatMap((each, index) => (each === undefined ? [] : [[`x${index}`, each]])));
}

function modelFrom(
  { operator, version, inputs, attributes = {}, outputCount = 1, outputType = "FP32" }: Older,
  given = outputCount,
): ModelProto {
  const output = Array.from({ length: outputCount }, (_, index) => `y${index}`);
  const node = {
    opType: operator,
    input: inputs.map((each, index) => (each === undefined ? "" : `x${index}`)),
    output,
    attribute: Object.entries(attributes).map(([name, each]) => attributeProto(name, each)),
  };
  const input = inputs.flatMap((each, index) =>
    each === undefined ? [] : [{ name: `x${index}`, type: typeOf(each) }],
  );
  const graph = {
    name: operator,
    node: [node],
    input,
    output: output
      .slice(0, given)
      .map((name) => ({ name, type: { tensorType: { elemType: elementTypes[outputType] } } })),
  };
  return { irVersion: 8, opsetImport: [{ domain: "", version }], graph };
}

function typeOf({ dataType, shape }: Given) {
  const elemType = elementTypes[dataType as NumericDataType];
  return { tensorType: { elemType, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } };
}
