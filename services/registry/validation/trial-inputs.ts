import { ServiceError } from "../../../lib/errors.ts";
import { anyRank } from "../../../lib/onnx/signature.ts";
import { elementBytes, elementCount, type Signature, type Tensor, type TensorSpec } from "../../../lib/tensor.ts";

/**
 * What a model is run on: the sample, or zeros, with 1 for every symbolic size. Throws ARTIFACT_INVALID where the sample is not
 * one for this model, and where zeros would be too many.
 */
export function trialInputs({ inputs }: Signature, sample: readonly Tensor[] | null): readonly Tensor[] {
  const required = inputs.filter(({ optional }) => !optional);
  if (sample === null) return zerosFor(required);
  const surplus = sample.find(({ name }) => !required.some((input) => input.name === name));
  if (surplus !== undefined) {
    throw refusal(surplus.name, "is no input that requests must have", required.map(({ name }) => name).join(", "));
  }
  return required.map((spec) => fitting(spec, sample));
}

function zerosFor(specs: readonly TensorSpec[]): Tensor[] {
  let room = zerosBytesMax;
  return specs.map(({ name, dataType, shape: axes }) => {
    const shape = axes.map((axis) => (typeof axis === "number" ? axis : 1));
    // Of texts the empty one takes its length alone.
    const bytes = elementCount(shape) * (elementBytes[dataType] ?? 4);
    room -= bytes;
    if (room < 0) {
      const seen = `zeros for its inputs up to ${JSON.stringify(name)} take more than ${zerosBytesMax} bytes`;
      throw new ServiceError("ARTIFACT_INVALID", `it cannot be run on zeros: ${seen}; needed: a sample`);
    }
    return { name, dataType, shape, bytes: new Uint8Array(bytes) };
  });
}

/** Most bytes of zeros that are made for one run. */
const zerosBytesMax = 256 * 1024 ** 2;

function fitting({ name, dataType, shape }: TensorSpec, sample: readonly Tensor[]): Tensor {
  const tensor = sample.find((one) => one.name === name);
  const needed = `${dataType} [${shape.join(", ")}]`;
  if (tensor === undefined) throw refusal(name, "is missing", needed);
  const isAny = shape[0] === anyRank;
  const fits = tensor.shape.length === shape.length && tensor.shape.every((size, axis) => fitsAxis(size, shape[axis]!));
  if (tensor.dataType === dataType && (isAny || fits)) return tensor;
  throw refusal(name, `is ${tensor.dataType} [${tensor.shape.join(", ")}]`, needed);
}

function fitsAxis(size: number, axis: number | string): boolean {
  return typeof axis === "string" || axis === size;
}

function refusal(name: string, seen: string, needed: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `the sample's ${JSON.stringify(name)} ${seen}; needed: ${needed}`);
}
