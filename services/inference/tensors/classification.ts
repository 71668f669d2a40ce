import { joinedByteStrings } from "../../../lib/byte-strings.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import type { Signature, Tensor, TensorSpec } from "../../../lib/tensor.ts";
import { numberReader } from "../../../lib/tensor-numbers.ts";
import { quoted } from "./tensor-fault.ts";

/** How many classes a request wants of its outputs, by name; those that are wanted as they are are not in it. */
export type ClassCounts = ReadonlyMap<string, number>;

/** Reads the output parameter `classification`. Throws REQUEST_INVALID where it is no such number, or the output has texts. */
export function classCountsOf({ outputs }: Pick<Request, "outputs">, signature: Signature): ClassCounts {
  const counts = new Map<string, number>();
  for (const { name, parameters } of outputs) {
    if (!Object.hasOwn(parameters, parameterName)) continue;
    const { parameterChoice, int64Param, uint64Param } = parameters[parameterName];
    const seen = int64Param ?? uint64Param;
    const label = `the parameter '${parameterName}' of output ${quoted(name)}`;
    if (seen === undefined || Number(seen) < 1 || Number(seen) > classesMax) {
      const message = `${label} is ${seen ?? parameterChoice ?? "nothing"}; needed: an int64_param from 1 to ${classesMax}`;
      throw new ServiceError("REQUEST_INVALID", message);
    }
    if (signature.outputs.find((spec) => spec.name === name)?.dataType === "BYTES") {
      throw new ServiceError("REQUEST_INVALID", `${label} is for numbers, and the output has BYTES`);
    }
    counts.set(name, Number(seen));
  }
  return counts;
}

/**
 * The outputs with those that are wanted as classes replaced: BYTES elements "value:index" or "value:index:label", the largest
 * values first, of each row where the first of several axes is the rows', and otherwise of all elements.
 */
export function classified(outputs: readonly Tensor[], counts: ClassCounts, signature: Signature): readonly Tensor[] {
  if (counts.size === 0) return outputs;
  return outputs.map((tensor) => {
    const count = counts.get(tensor.name);
    const spec = signature.outputs.find(({ name }) => name === tensor.name);
    return count === undefined || spec === undefined ? tensor : classesOf(tensor, count, spec);
  });
}

const parameterName = "classification";
/** Finding many takes long, and nobody reads them. */
const classesMax = 1000;

function classesOf({ name, dataType, shape, bytes }: Tensor, wanted: number, spec: TensorSpec): Tensor {
  const numberAt = numberReader(dataType, bytes);
  const isByRow = shape.length > 1 && typeof spec.shape[0] === "string";
  const rowCount = isByRow ? shape[0] : 1;
  const width = shape.slice(isByRow ? 1 : 0).reduce((product, size) => product * size, 1);
  const count = Math.min(wanted, width);
  const elements: Buffer[] = [];
  for (let row = 0; row < rowCount; row++) {
    for (const index of largest(count, width, (column) => numberAt(row * width + column))) {
      const label = spec.labels?.[index];
      const text = `${shown(numberAt(row * width + index))}:${index}`;
      elements.push(Buffer.from(label === undefined ? text : `${text}:${label}`));
    }
  }
  const classShape = isByRow ? [rowCount, count] : [count];
  return { name, dataType: "BYTES", shape: classShape, bytes: joinedByteStrings(elements) };
}

/** The indices of the largest of `width` values, the first of equals first; what is no number comes last. */
function largest(count: number, width: number, valueAt: (index: number) => number | bigint): readonly number[] {
  const indices: number[] = [];
  const values: (number | bigint)[] = [];
  for (let index = 0; index < width; index++) {
    const value = valueAt(index);
    let position = values.length;
    while (position > 0 && isAbove(value, values[position - 1])) position--;
    if (position === count) continue;
    values.splice(position, 0, value);
    indices.splice(position, 0, index);
    if (values.length > count) {
      values.pop();
      indices.pop();
    }
  }
  return indices;
}

function isAbove(value: number | bigint, other: number | bigint): boolean {
  return value > other || (Number.isNaN(other) && !Number.isNaN(value));
}

/** As Triton writes numbers: whole ones as they are, others with six digits behind the point. */
function shown(value: number | bigint): string {
  return typeof value === "bigint" ? String(value) : value.toFixed(6);
}
