import { ServiceError } from "../../../lib/errors.ts";
import { type JsonValue, shownJson } from "./json-text.ts";

/** The shape of values in arrays of arrays; throws TENSOR_INVALID where those of one level are not of one length. */
export function shapeOfValues(values: JsonValue, label: string): readonly number[] {
  const shape: number[] = [];
  for (let first: JsonValue | undefined = values; Array.isArray(first); first = first[0]) shape.push(first.length);
  checkLengths(values, shape, 0, label);
  return shape;
}

/** Flat values in arrays of arrays, as deep as the shape: a value alone where it has no axes, and one empty array where there is none. */
export function nestedValues(flat: readonly JsonValue[], shape: readonly number[]): JsonValue {
  if (shape.length === 0) return flat[0]!;
  if (flat.length === 0) return [];
  // From the innermost axis outwards.
  return shape.slice(1).reduceRight((values: readonly JsonValue[], size) => chunks(values, size), flat);
}

function checkLengths(values: JsonValue, shape: readonly number[], level: number, label: string): void {
  const needed = shape[level];
  const length = Array.isArray(values) ? values.length : undefined;
  if (length !== needed) {
    const seen = length === undefined ? shownJson(values) : `an array of ${length}`;
    const wanted = needed === undefined ? "a value" : `an array of ${needed}`;
    throw new ServiceError(
      "TENSOR_INVALID",
      `${label} has ${seen} in its level ${level}; needed: ${wanted}, as where it begins`,
    );
  }
  if (!Array.isArray(values)) return;
  for (const part of values) checkLengths(part, shape, level + 1, label);
}

function chunks(values: readonly JsonValue[], size: number): readonly JsonValue[] {
  return Array.from({ length: values.length / size }, (_, index) => values.slice(index * size, (index + 1) * size));
}
