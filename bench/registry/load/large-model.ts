import { elementTypes } from "../../../lib/onnx/element-type.ts";
import { type ModelProto, type TensorProto, writeModel } from "../../../lib/onnx/model.ts";

/** Where a model keeps the matrix of this number. */
export const weightsFile = (index: number) => `weights-${index}.bin`;

/** An ONNX file that multiplies its input with square matrices, each in a file of its own: y = x·w0·w1·… */
export function chainOfProducts(width: number, matrices: number): Uint8Array {
  const numbers = Array.from({ length: matrices }, (_, index) => index);
  const value = (name: string) => ({
    name,
    type: {
      tensorType: { elemType: elementTypes.FP32, shape: { dim: [{ dimParam: "batch" }, { dimValue: width }] } },
    },
  });
  const model: ModelProto = {
    irVersion: 8,
    opsetImport: [{ domain: "", version: 18 }],
    graph: {
      name: "products",
      input: [value("x0")],
      output: [value(`x${matrices}`)],
      initializer: numbers.map((index) => matrix(index, width)),
      node: numbers.map((index) => ({
        opType: "MatMul",
        input: [`x${index}`, `w${index}`],
        output: [`x${index + 1}`],
      })),
    },
  };
  return writeModel(model);
}

function matrix(index: number, width: number): TensorProto {
  return {
    name: `w${index}`,
    dims: [width, width],
    dataType: elementTypes.FP32,
    // EXTERNAL.
    dataLocation: 1,
    externalData: [{ key: "location", value: weightsFile(index) }],
  };
}
