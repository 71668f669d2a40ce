import { ServiceError } from "../errors.ts";
import type { Signature, TensorSpec } from "../tensor.ts";
import { defaultsOf } from "./defaults.ts";
import { dataTypeOf } from "./element-type.ts";
import { type DimensionProto, integerOf, type ModelProto, type TypeProto, type ValueInfoProto } from "./model.ts";

/** A dimension that has neither a size nor a name. */
export const unnamedDimension = "?";

/** The only entry of the shape of a tensor whose number of dimensions is unknown. */
export const anyRank = "...";

/**
 * What a model takes and gives, in the file's order. Inputs that have a default are optional; those that are initializers
 * otherwise, as older files list them, are left out.
 *
 * Throws ARTIFACT_INVALID that names the input or output which is not a tensor, or whose elements have a type that the
 * Open Inference Protocol cannot carry.
 */
export function signatureOf(model: ModelProto): Signature {
  const { initializer = [], sparseInitializer = [], input = [], output = [] } = model.graph ?? {};
  const defaults = new Set(defaultsOf(model).map(({ name }) => name));
  const constants = new Set([
    ...initializer.map(({ name }) => name),
    ...sparseInitializer.map(({ values }) => values?.name),
  ]);
  return {
    inputs: input
      .filter(({ name }) => defaults.has(name) || !constants.has(name))
      .map((info) => ({ ...tensorSpec("input", info), ...(defaults.has(info.name) && { optional: true }) })),
    outputs: output.map((info) => tensorSpec("output", info)),
  };
}

function tensorSpec(role: "input" | "output", { name, type }: ValueInfoProto): TensorSpec {
  const label = `the model's ${role} ${JSON.stringify(name ?? "")}`;
  if (!name) throw invalid(`${label} has no name`);
  if (!type?.tensorType) throw invalid(`${label} is ${kindOf(type)}; needed: a tensor`);
  const { elemType = 0, shape } = type.tensorType;
  const dataType = dataTypeOf(elemType);
  if (dataType === undefined) {
    throw invalid(`${label} has elements of ONNX type ${elemType}; needed: a type of the Open Inference Protocol`);
  }
  return { name, dataType, shape: shape ? (shape.dim ?? []).map((dim) => dimensionOf(label, dim)) : [anyRank] };
}

function dimensionOf(label: string, dimension: DimensionProto): number | string {
  if (!Object.hasOwn(dimension, "dimValue")) return dimension.dimParam || unnamedDimension;
  try {
    const size = integerOf(dimension.dimValue ?? 0);
    // Some exporters write -1 where they mean a size that is not known.
    return size < 0 ? unnamedDimension : size;
  } catch (cause) {
    throw new ServiceError("ARTIFACT_INVALID", `${label} has a dimension beyond 2^53`, { cause });
  }
}

const kindNames = {
  sequenceType: "a sequence",
  mapType: "a map",
  opaqueType: "an opaque value",
  sparseTensorType: "a sparse tensor",
  optionalType: "an optional value",
} as const satisfies Partial<Record<keyof TypeProto, string>>;

function kindOf(type: TypeProto | null | undefined): string {
  const kind = Object.keys(kindNames).find((field) => type?.[field as keyof TypeProto]);
  return kind === undefined ? "of no known type" : kindNames[kind as keyof typeof kindNames];
}

function invalid(message: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", message);
}
