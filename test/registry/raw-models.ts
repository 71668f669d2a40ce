import { elementTypes } from "../../lib/onnx/element-type.ts";
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
  writeModel,
} from "../../lib/onnx/model.ts";
import type { DataType } from "../../lib/tensor.ts";

/** What a file has that no builder of ours would write. */
export interface RawModel extends GraphProto {
  /** Versions of operator sets by domain; ONNX's own is "". */
  readonly opsets?: Readonly<Record<string, number>>;
  readonly functions?: readonly object[];
}

/** An ONNX file of these parts; `y` from `x`, both FP32 [n, 2], where nothing else is said. */
export function rawModel({ opsets = { "": 18 }, functions, ...graph }: RawModel): Uint8Array {
  const model: ModelProto = {
    irVersion: 8,
    opsetImport: Object.entries(opsets).map(([domain, version]) => ({ domain, version })),
    graph: { name: "g", input: [tensor("x")], output: [tensor("y")], ...graph },
    ...(functions && { functions }),
  };
  return writeModel(model);
}

export function tensor(
  name: string,
  dataType: DataType | number = "FP32",
  shape: readonly (number | string)[] | undefined = ["n", 2],
): ValueInfoProto {
  const elemType = typeof dataType === "number" ? dataType : elementTypes[dataType];
  const dim = shape?.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: dim && { dim } } } };
}

/** A node without a type, whose kind the runtime finds out. */
export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attribute: readonly AttributeProto[] = [],
  domain?: string,
): NodeProto {
  return { opType, input, output, attribute, ...(domain !== undefined && { domain }) };
}

export function graphAttribute(name: string, g: GraphProto): AttributeProto {
  return { name, type: 5, g };
}

/** An INT64 vector, or a scalar. */
export function sizes(name: string, values: readonly bigint[], dims: readonly number[] = [values.length]): TensorProto {
  return { name, dims, dataType: elementTypes.INT64, rawData: new Uint8Array(new BigInt64Array(values).buffer) };
}

export function bool(name: string, value: boolean): TensorProto {
  return { name, dims: [], dataType: elementTypes.BOOL, rawData: new Uint8Array([value ? 1 : 0]) };
}

/** FP32 weights that lie in another file. */
export function external(name: string, dims: readonly number[], location: string): TensorProto {
  return {
    name,
    dims,
    dataType: elementTypes.FP32,
    dataLocation: 1,
    externalData: [{ key: "location", value: location }],
  };
}

/** `y` = `x` + w, where the two weights lie in another file; `extra` are initializers besides. */
export function externalModel(location: string, extra: readonly TensorProto[] = []): Uint8Array {
  return rawModel({ node: [node("Add", ["x", "w"], ["y"])], initializer: [external("w", [2], location), ...extra] });
}

/** A model that adds one to its input for ever, as far as anybody can wait. */
export function endlessModel(): Uint8Array {
  return countingModel(2n ** 62n);
}

/** A model that adds one to its input for some seconds. */
export function slowModel(): Uint8Array {
  return countingModel(2_000_000n);
}

function countingModel(trips: bigint): Uint8Array {
  const body: GraphProto = {
    name: "body",
    node: [node("Identity", ["goOn"], ["goesOn"]), node("Add", ["carried", "one"], ["next"])],
    input: [tensor("iteration", "INT64", []), tensor("goOn", "BOOL", []), tensor("carried")],
    output: [tensor("goesOn", "BOOL", []), tensor("next")],
    initializer: [{ name: "one", dims: [1], dataType: 1, rawData: new Uint8Array(new Float32Array([1]).buffer) }],
  };
  return rawModel({
    node: [node("Loop", ["trips", "goOnAtFirst", "x"], ["y"], [graphAttribute("body", body)])],
    initializer: [sizes("trips", [trips], []), bool("goOnAtFirst", true)],
  });
}

/** A model that makes a tensor of so many FP32 elements. */
export function hungryModel(elements: bigint): Uint8Array {
  return rawModel({
    node: [
      node("ConstantOfShape", ["size"], ["many"]),
      node("ReduceSum", ["many"], ["sum"]),
      node("Add", ["x", "sum"], ["y"]),
    ],
    initializer: [sizes("size", [elements])],
  });
}
