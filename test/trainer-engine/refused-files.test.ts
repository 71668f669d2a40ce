import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { elementsOf, elementTypes, type NumericDataType } from "../../lib/onnx/element-type.ts";
import { type ModelProto, type NodeProto, writeModel } from "../../lib/onnx/model.ts";
import type { Head } from "../../services/trainer/graph/imported/head.ts";
import { importedNetwork } from "../../services/trainer/graph/imported/imported-network.ts";
import { fileOf } from "../repository.ts";

describe("an ONNX file is refused for training", () => {
  const refusals: Readonly<Record<string, readonly [model: () => ModelProto, why: string | RegExp, head?: Head]>> = {
    "with control flow between a parameter and its output": [
      () => {
        const branch = { name: "branch", node: [node("Relu", ["h"], ["z"])], output: [{ name: "z" }] };
        const attribute = ["then_branch", "else_branch"].map((name) => ({ name, type: 5, g: branch }));
        const condition = { name: "c", dims: [], dataType: elementTypes.BOOL, int32Data: [1] };
        return modelOfNodes(
          [node("Gemm", ["x", "w"], ["h"]), { ...node("If", ["c"], ["y"]), attribute }],
          {},
          condition,
        );
      },
      "the node If (If) is control flow, through which there is no gradient",
    ],
    "with an operator that has no gradient there": [
      () => modelOfNodes([node("Gemm", ["x", "w"], ["h"]), node("Hardmax", ["h"], ["y"])]),
      "the node Hardmax (Hardmax) has no gradient; supported: Abs, Add,",
    ],
    "with a shape that nothing tells there": [
      () => modelOfNodes([node("Twisted", ["x"], ["z"]), node("Gemm", ["z", "w"], ["y"])]),
      "the node Gemm (Gemm) works with z, whose shape its gradient needs, and which is not known: nothing is known of the operator Twisted",
    ],
    "with a node that its inputs do not fit": [
      () => modelOfNodes([node("Conv", ["x", "w"], ["h"]), node("Relu", ["h"], ["y"])], { inner: "h" }),
      'the node "Conv" (Conv): [rows,2] and the weight [2,2] have one rank; a gradient needs inputs that fit',
    ],
    "with parameters that are integers": [
      () =>
        modelOfNodes(
          [
            { ...node("Cast", ["w"], ["f"]), attribute: [{ name: "to", type: 2, i: 1 }] },
            node("Gemm", ["x", "f"], ["y"]),
          ],
          { weight: "INT8" },
        ),
      "initial_version is a model whose parameter w is INT8; needed: FP32",
    ],
    "with parameters of another precision": [
      () =>
        modelOfNodes(
          [
            { ...node("Cast", ["w"], ["f"]), attribute: [{ name: "to", type: 2, i: 1 }] },
            node("Gemm", ["x", "f"], ["y"]),
          ],
          { weight: "FP64" },
        ),
      "initial_version is a model whose parameter w is FP64; needed: FP32",
    ],
    "without parameters": [
      () => modelOfNodes([node("Relu", ["x"], ["y"])]),
      "initial_version is a model without parameters; needed: one whose output depends",
    ],
    "with several inputs": [
      () => modelOfNodes([node("Gemm", ["x", "w"], ["h"]), node("Add", ["h", "x2"], ["y"])], { second: true }),
      "initial_version is a model of 2 inputs (x, x2); needed: one of a single input",
    ],
    "with several outputs and none to begin at": [
      () => modelOfNodes([node("Gemm", ["x", "w"], ["y"]), node("Relu", ["y"], ["z"])], { outputs: ["y", "z"] }),
      "initial_version is a model of the outputs y, z; needed: one of a single output, or a head that says",
    ],
    "that drops everything": [
      () =>
        modelOfNodes(
          [node("Gemm", ["x", "w"], ["h"]), node("Dropout", ["h", "ratio"], ["y"])],
          {},
          {
            name: "ratio",
            dims: [],
            dataType: elementTypes.FP32,
            floatData: [1],
          },
        ),
      "a model whose node Dropout (Dropout) has the ratio 1; needed: a constant in [0, 1)",
    ],
    "that is quantised": [
      () =>
        modelOfNodes(
          [node("DequantizeLinear", ["w", "s"], ["f"]), node("Gemm", ["x", "f"], ["y"])],
          { weight: "INT8" },
          { name: "s", dims: [], dataType: 1, floatData: [1] },
        ),
      "initial_version is a quantised model, by its node DequantizeLinear (DequantizeLinear); needed: the model of floats",
    ],
    "with a fixed number of rows": [
      () => modelOfNodes([node("Gemm", ["x", "w"], ["y"])], { rows: 1 }),
      "initial_version is a model whose input x is FP32 [1, 2]; needed: an input whose first size is open",
    ],
    "with an input of another type": [
      () => modelOfNodes([node("Gemm", ["x", "w"], ["y"])], { input: "FP64" }),
      "initial_version is a model whose input x is FP64 [n, 2]; needed: an input of FP32",
    ],
    "without a product to put a head on": [
      () => modelOfNodes([node("Mul", ["x", "w"], ["y"])]),
      "head is of a model whose output comes from no product",
      { outputSize: 2 },
    ],
    "with a head after a value that it lacks": [
      () => modelOfNodes([node("Gemm", ["x", "w"], ["h"]), node("Relu", ["h"], ["y"])]),
      "head.after is z; needed: the name of a value of the model, the last of which are x, h, y",
      { outputSize: 2, after: "z" },
    ],
    "with a head of no outputs": [
      () => modelOfNodes([node("Gemm", ["x", "w"], ["y"])]),
      "head.output_size is 0; needed: a whole number in",
      { outputSize: 0 },
    ],
  };
  for (const [fault, [model, why, head]] of Object.entries(refusals)) {
    it(`${fault}, with the reason`, () => {
      expect(() => importedNetwork({ kind: "imported", model: writeModel(model()), files: new Map(), head }))
        .to.throw(ServiceError, why)
        .with.property("reason", "SPEC_INVALID");
    });
  }

  it("or is a network, whatever bytes of it were changed", () => {
    const names = ["images-traced-13-training", "images-graph-18"];
    const files = names.map((name) => readFileSync(fileOf(`test/fixtures/exported-torch/${name}.onnx`)));
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    const head = fc.constantFrom(undefined, { outputSize: 2 });
    fc.assert(
      fc.property(fc.constantFrom(...files), changes, head, (file, changes, head) => {
        const model = Uint8Array.from(file);
        for (const [place, byte] of changes) model[place % model.length] = byte;
        try {
          importedNetwork({ kind: "imported", model, files: new Map(), head });
        } catch (failure) {
          expect(failure).to.be.instanceOf(ServiceError);
        }
      }),
      { numRuns: 100 },
    );
  });
});

function node(opType: string, input: string[], output: string[]): NodeProto {
  return { name: opType, opType, input, output };
}

/** A model from `x` [n, 2] with the weight `w` [2, 2]. */
function modelOfNodes(
  nodes: readonly NodeProto[],
  given: {
    weight?: NumericDataType;
    input?: NumericDataType;
    rows?: number;
    second?: true;
    outputs?: readonly string[];
    inner?: string;
  } = {},
  ...more: NonNullable<NonNullable<ModelProto["graph"]>["initializer"]>
): ModelProto {
  const { weight = "FP32", input = "FP32", rows, second, inner, outputs = ["y"] } = given;
  const first = rows === undefined ? { dimParam: "n" } : { dimValue: rows };
  const type = { tensorType: { elemType: elementTypes[input], shape: { dim: [first, { dimValue: 2 }] } } };
  const floats = { tensorType: { elemType: elementTypes.FP32, shape: { dim: [first, { dimValue: 2 }] } } };
  const elements = elementsOf(weight, [1, 2, 3, 4]);
  const w = { name: "w", dims: [2, 2], dataType: elementTypes[weight], rawData: new Uint8Array(elements.buffer) };
  const graph = {
    name: "graph",
    node: nodes,
    initializer: [w, ...more],
    input: [{ name: "x", type }, ...(second ? [{ name: "x2", type }] : [])],
    ...(inner !== undefined && { valueInfo: [{ name: inner, type: floats }] }),
    output: outputs.map((name) => ({ name, type: floats })),
  };
  return { irVersion: 8, opsetImport: [{ domain: "", version: 18 }], graph };
}
