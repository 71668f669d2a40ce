import { elementTypes } from "../../lib/onnx/element-type.ts";
import type { TensorProto } from "../../lib/onnx/model.ts";
import { elementBytes, elementCount, type Signature, type TensorSpec } from "../../lib/tensor.ts";
import { node, type RawModel, rawModel, tensor } from "./raw-models.ts";

/** An ONNX file of this signature, BYTES excepted: it gives zeros, whatever it takes. Another seed makes another file. */
export function signedModel({ inputs, outputs }: Signature, seed = 0, more: RawModel = {}): Uint8Array {
  return rawModel({
    name: `seed ${seed}`,
    input: inputs.map(valueInfo),
    output: outputs.map(valueInfo),
    initializer: [
      ...inputs.filter(({ optional }) => optional).map((spec) => zeros(spec.name, spec)),
      ...outputs.map((spec) => zeros(`zeros of ${spec.name}`, spec)),
    ],
    node: outputs.map(({ name }) => node("Identity", [`zeros of ${name}`], [name])),
    ...more,
  });
}

function valueInfo({ name, dataType, shape }: TensorSpec) {
  return tensor(name, dataType, shape);
}

function zeros(name: string, { dataType, shape }: TensorSpec): TensorProto {
  const dims = shape.map((size) => (typeof size === "number" ? size : 1));
  return {
    name,
    dims,
    dataType: elementTypes[dataType],
    rawData: new Uint8Array(elementCount(dims) * elementBytes[dataType as "FP32"]),
  };
}
