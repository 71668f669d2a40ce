import { ServiceError } from "../../../lib/errors.ts";
import { anyRank } from "../../../lib/onnx/signature.ts";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";
import { quoted, quotedList } from "../tensors/tensor-fault.ts";

/** An output whose values become those of an input. */
export interface Link {
  readonly output: TensorSpec;
  readonly input: TensorSpec;
}

/**
 * Finds the output and the input of a signature that settings name. Throws ARTIFACT_INVALID that begins with `label` where one of
 * them does not exist, or where the input cannot take what the output gives.
 */
export function linkOf(
  { outputName, inputName }: { readonly outputName: string; readonly inputName: string },
  { inputs, outputs }: Signature,
  label: string,
): Link {
  const output = outputOf(outputName, outputs, label);
  const input = inputs.find(({ name }) => name === inputName);
  if (input === undefined) {
    throw unfit(`${label} names the input ${quoted(inputName)}; the model has ${quotedList(inputs.map(nameOf))}`);
  }
  if (output.dataType !== input.dataType) {
    const seen = `output ${quoted(outputName)} is ${output.dataType}, input ${quoted(inputName)} is ${input.dataType}`;
    throw unfit(`${label}: ${seen}; needed: the same type`);
  }
  if (!mayFit(output.shape, input.shape)) {
    const seen = `output ${quoted(outputName)} has shape [${output.shape.join(", ")}]`;
    throw unfit(`${label}: ${seen}, which does not fit input ${quoted(inputName)} [${input.shape.join(", ")}]`);
  }
  return { output, input };
}

/** Finds an output that settings name. */
export function outputOf(name: string, outputs: readonly TensorSpec[], label: string): TensorSpec {
  const output = outputs.find((spec) => spec.name === name);
  if (output !== undefined) return output;
  throw unfit(`${label} names the output ${quoted(name)}; the model has ${quotedList(outputs.map(nameOf))}`);
}

/** The fault of settings that do not fit the model that they are for. */
export function unfit(message: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `the serving settings do not fit the model: ${message}`);
}

/** Whether there may be a shape that is both. */
function mayFit(one: TensorSpec["shape"], other: TensorSpec["shape"]): boolean {
  if (one[0] === anyRank || other[0] === anyRank) return true;
  if (one.length !== other.length) return false;
  return one.every((size, axis) => typeof size === "string" || typeof other[axis] === "string" || size === other[axis]);
}

function nameOf({ name }: TensorSpec): string {
  return name;
}
