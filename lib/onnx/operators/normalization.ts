import { assert } from "../../errors.ts";
import type { Attributes, Value } from "../graph.ts";
import { frontAxis, type Inference, intOf, taking, type ValueType } from "./inference.ts";

/** Operators that take a mean off and divide by a deviation, both over some axes. Channels are axis 1. */
export const normalizationOperators = {
  /** With training_mode also the new running mean and variance, `running · momentum + of this batch · (1 − momentum)`. */
  BatchNormalization: taking("floats", ([x, ...statistics], attributes) => {
    checkPerChannel(x, statistics);
    const [, , mean, variance] = statistics;
    const types = [x, mean, variance].map(typeOf);
    return intOf(attributes, "training_mode", 0) === 1 ? types : types.slice(0, 1);
  }),
  /** Also the mean and 1 / deviation that it has taken, in FP32 whatever the input is. */
  LayerNormalization: taking("floats", ([x, scale, bias], attributes) => {
    const axis = checkedAxis(x, attributes);
    for (const value of [scale, bias]) checkSuffix(x, axis, value);
    const shape = x.shape.map((size, at) => (at < axis ? size : 1));
    return [typeOf(x), { dataType: "FP32", shape }, { dataType: "FP32", shape }];
  }),
  RMSNormalization: taking("floats", ([x, scale], attributes) => {
    checkSuffix(x, checkedAxis(x, attributes), scale);
    return [typeOf(x)];
  }),
  GroupNormalization: taking("floats", ([x, ...perChannel], attributes) => {
    const groups = intOf(attributes, "num_groups", 0);
    assert(
      groups >= 1 && Number(x.shape[1]) % groups === 0,
      `${x.shape[1]} channels can be shared out over ${groups} groups`,
    );
    checkPerChannel(x, perChannel);
    return [typeOf(x)];
  }),
  InstanceNormalization: taking("floats", ([x, ...perChannel]) => {
    checkPerChannel(x, perChannel);
    return [typeOf(x)];
  }),
} as const satisfies Record<string, Inference>;

function typeOf({ dataType, shape }: Value): ValueType {
  return { dataType, shape };
}

function checkPerChannel(x: Value, values: readonly Value[]): void {
  assert(x.shape.length >= 2, `[${x.shape}] has rows and channels`);
  for (const { shape } of values) {
    assert(shape.length === 1 && shape[0] === x.shape[1], `[${shape}] is one value for each of ${x.shape[1]} channels`);
  }
}

function checkedAxis({ shape }: Value, attributes: Attributes): number {
  return frontAxis(intOf(attributes, "axis", -1), shape.length);
}

/** A scale or bias broadcasts to what is normalised together. */
function checkSuffix(x: Value, axis: number, value: Value | undefined): void {
  const fits = value?.shape.every(
    (size, at) => size === 1 || size === x.shape[at + x.shape.length - value.shape.length],
  );
  assert(
    fits !== false && (value?.shape.length ?? 0) <= x.shape.length - axis,
    `[${value?.shape}] broadcasts to [${x.shape.slice(axis)}]`,
  );
}
