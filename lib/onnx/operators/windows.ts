import { assert } from "../../errors.ts";
import { productOf, sumOf } from "../dimensions.ts";
import type { Attributes, Dimension, Shape, Value } from "../graph.ts";
import { intOf, intsOf, stringOf } from "./inference.ts";

/**
 * How a convolution or a pooling walks along one spatial axis: `kernel` taps, `dilation` apart, every `stride` elements of an input with
 * `before` and `after` elements added at its ends. With ceil_mode `after` reaches to the end of the last window.
 */
export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  readonly input: Dimension;
  readonly output: Dimension;
}

/** The windows of a Conv or a pooling over `spatial`, the sizes of its input after batch and channels. */
export function windowsOf(attributes: Attributes, spatial: Shape, kernels: readonly number[]): readonly Window[] {
  return spatial.map((input, axis) => {
    const steps = stepsOf(attributes, axis, kernels);
    const autoPad = stringOf(attributes, "auto_pad", "NOTSET");
    const pads = isSame(autoPad) ? samePads(input, steps, autoPad) : padsOf(attributes, autoPad, axis, spatial.length);
    const ceil = intOf(attributes, "ceil_mode", 0) === 1;
    const output = windowCount(input, steps, pads, ceil);
    const reached = typeof output === "number" ? (output - 1) * steps.stride + span(steps) - Number(input) : 0;
    return { ...steps, ...pads, after: ceil ? Math.max(pads.after, reached - pads.before) : pads.after, input, output };
  });
}

/**
 * The windows of a ConvTranspose: `input` is what it takes, `output` what it gives, larger by the stride. `before` and `after` are cut off
 * the output's ends; below 0 there are so many zeros more.
 */
export function transposedWindowsOf(
  attributes: Attributes,
  spatial: Shape,
  kernels: readonly number[],
): readonly Window[] {
  return spatial.map((input, axis) => {
    const steps = stepsOf(attributes, axis, kernels);
    const autoPad = stringOf(attributes, "auto_pad", "NOTSET");
    const extra = ofAxis(attributes, "output_padding", axis, spatial.length, 0);
    assert(extra >= 0 && extra < steps.stride, `output_padding ${extra} is less than the stride ${steps.stride}`);
    const wanted = intsOf(attributes, "output_shape")?.at(axis - spatial.length);
    if (wanted === undefined && !isSame(autoPad)) {
      const { before, after } = padsOf(attributes, autoPad, axis, spatial.length);
      const added = span(steps) - steps.stride - before - after + extra;
      return {
        ...steps,
        before,
        after: after - extra,
        input,
        output: sumOf([productOf([input, steps.stride]), added]),
      };
    }
    assert(typeof input === "number", `the size ${input} is known when auto_pad or output_shape says the output's`);
    const output = wanted ?? input * steps.stride;
    const total = (input - 1) * steps.stride + extra + span(steps) - output;
    assert(total >= 0, `the output's size ${output} is at most ${output + total}`);
    const smaller = Math.floor(total / 2);
    const before = autoPad === "SAME_UPPER" ? smaller : total - smaller;
    return { ...steps, before, after: total - before - extra, input, output };
  });
}

/** The number of elements that a window covers, gaps included. */
export function span({ kernel, dilation }: Pick<Window, "kernel" | "dilation">): number {
  return dilation * (kernel - 1) + 1;
}

/** The kernel's sizes of a pooling operator. */
export function kernelOf(attributes: Attributes, { shape }: Value): readonly number[] {
  const kernel = intsOf(attributes, "kernel_shape");
  assert(
    kernel?.length === shape.length - 2,
    `kernel_shape [${kernel}] has a size for each of ${shape.length - 2} axes`,
  );
  return kernel;
}

function isSame(autoPad: string): boolean {
  return autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER";
}

/** One number of an attribute that has one for each axis; `byDefault` where it is left out. */
function ofAxis(attributes: Attributes, name: string, axis: number, rank: number, byDefault: number): number {
  const numbers = intsOf(attributes, name);
  assert(
    numbers === undefined || numbers.length === rank,
    `${name} [${numbers}] has a number for each of ${rank} axes`,
  );
  return numbers?.[axis] ?? byDefault;
}

type Steps = Pick<Window, "kernel" | "stride" | "dilation">;
type Pads = Pick<Window, "before" | "after">;

function stepsOf(attributes: Attributes, axis: number, kernels: readonly number[]): Steps {
  const kernel = kernels[axis];
  const [stride, dilation] = ["strides", "dilations"].map((name) => ofAxis(attributes, name, axis, kernels.length, 1));
  assert(
    kernel >= 1 && stride >= 1 && dilation >= 1,
    `kernel ${kernel}, stride ${stride}, dilation ${dilation} are at least 1`,
  );
  return { kernel, stride, dilation };
}

function padsOf(attributes: Attributes, autoPad: string, axis: number, rank: number): Pads {
  assert(
    autoPad === "NOTSET" || autoPad === "VALID",
    `auto_pad ${autoPad} is one of NOTSET, VALID, SAME_UPPER, SAME_LOWER`,
  );
  const pads = (autoPad === "NOTSET" && intsOf(attributes, "pads")) || Array<number>(2 * rank).fill(0);
  assert(pads.length === 2 * rank, `pads [${pads}] has two sizes for each of ${rank} axes`);
  return { before: pads[axis], after: pads[axis + rank] };
}

/** What has to be added so that there is an output for every `stride`-th input. */
function samePads(input: Dimension, steps: Steps, autoPad: string): Pads {
  assert(typeof input === "number" || steps.stride === 1, `the size ${input} is known for auto_pad with a stride`);
  const covered = typeof input === "number" ? (Math.ceil(input / steps.stride) - 1) * steps.stride - input : -1;
  const total = Math.max(0, covered + span(steps));
  const smaller = Math.floor(total / 2);
  const before = autoPad === "SAME_UPPER" ? smaller : total - smaller;
  return { before, after: total - before };
}

function windowCount(input: Dimension, steps: Steps, { before, after }: Pads, ceil: boolean): Dimension {
  const rest = before + after - span(steps);
  if (typeof input === "string") {
    if (steps.stride === 1) return sumOf([input, rest + 1]);
    return `(${ceil ? "ceil" : "floor"}(${sumOf([input, rest])} / ${steps.stride}) + 1)`;
  }
  assert(input + rest >= 0, `a window of ${span(steps)} fits into ${input} and the padding of ${before + after}`);
  const count = (ceil ? Math.ceil : Math.floor)((input + rest) / steps.stride) + 1;
  // A window that would begin in the padding at the end is left out.
  return ceil && (count - 1) * steps.stride >= input + before ? count - 1 : count;
}
