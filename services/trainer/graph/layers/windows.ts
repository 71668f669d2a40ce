import { ints } from "../../../../lib/onnx/attributes.ts";
import type { Attributes } from "../../../../lib/onnx/graph.ts";
import { specError } from "../spec-error.ts";
import { checkCount, type Place, shapeError } from "./layer-kind.ts";

/** How a window moves over the spatial axes of a row, of which there are one or two. Each list has a size for each axis, or one for all. */
export interface WindowFields {
  readonly kernel: readonly number[];
  readonly stride?: readonly number[] | undefined;
  /** Elements added at both ends. */
  readonly padding?: readonly number[] | undefined;
  readonly dilation?: readonly number[] | undefined;
}

/** The same with a size for each axis. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

/** Windows over rows [channels, length] or [channels, height, width]. `stride` is that of a layer that doesn't say, 1 by default. */
export function windowsOf(
  kind: string,
  fields: WindowFields,
  input: readonly number[],
  place: Place,
  stride = fields.stride ?? [1],
): Windows {
  if (input.length < 2 || input.length > 3) {
    throw shapeError(place, kind, input, "[channels, length] or [channels, height, width]");
  }
  const each = (field: string, sizes: readonly number[] | undefined, least: number) =>
    perAxis(place, field, sizes?.length ? sizes : [least], input.length - 1, least);
  if (fields.kernel.length === 0)
    throw specError(`${place.field}.kernel`, "empty", "a size for each axis, or one for all");
  return {
    kernel: each("kernel", fields.kernel, 1),
    stride: each("stride", stride, 1),
    padding: each("padding", fields.padding, 0),
    dilation: each("dilation", fields.dilation, 1),
  };
}

/** A size for each of so many axes. */
export function perAxis(
  place: Place,
  field: string,
  sizes: readonly number[],
  count: number,
  least: number,
): readonly number[] {
  if (sizes.length !== 1 && sizes.length !== count) {
    throw specError(
      `${place.field}.${field}`,
      `[${sizes.join(", ")}]`,
      `${count === 1 ? "one size" : `one or ${count} sizes`}`,
    );
  }
  for (const [index, size] of sizes.entries()) checkCount(place, `${field}[${index}]`, size, least);
  return sizes.length === count ? sizes : Array<number>(count).fill(sizes[0]);
}

/** How many places a window has along each axis. Throws SPEC_INVALID where there is none. */
export function placesOf(kind: string, windows: Windows, input: readonly number[], place: Place): readonly number[] {
  return input.slice(1).map((size, axis) => {
    const padded = size + 2 * windows.padding[axis];
    const span = windows.dilation[axis] * (windows.kernel[axis] - 1) + 1;
    if (padded >= span) return Math.floor((padded - span) / windows.stride[axis]) + 1;
    throw shapeError(
      place,
      kind,
      input,
      `at least ${span - 2 * windows.padding[axis]} elements along axis ${axis + 1}`,
    );
  });
}

/** The attributes by which ONNX says the same. */
export function attributesOf({ stride, padding, dilation }: Omit<Windows, "kernel">): Attributes {
  return { strides: ints(stride), dilations: ints(dilation), pads: ints([...padding, ...padding]) };
}
