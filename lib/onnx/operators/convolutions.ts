import { assert } from "../../errors.ts";
import type { Value } from "../graph.ts";
import { commonType, type Inference, intOf, one } from "./inference.ts";
import { transposedWindowsOf, windowsOf } from "./windows.ts";

/** Convolutions over any number of spatial axes: [rows, channels, …spatial]. */
export const convolutionOperators = {
  Conv: one(([x, w, b], attributes) => {
    const group = intOf(attributes, "group", 1);
    const [outputs, perGroup, ...kernel] = channelsAndKernel(x, w);
    assert(x.shape[1] === perGroup * group, `${x.shape[1]} channels are ${group} groups of ${perGroup}`);
    assert(outputs % group === 0, `${outputs} outputs can be shared out over ${group} groups`);
    assert(
      b === undefined || (b.shape.length === 1 && b.shape[0] === outputs),
      `the bias [${b?.shape}] is [${outputs}]`,
    );
    const windows = windowsOf(attributes, x.shape.slice(2), kernel);
    return { dataType: commonType([x, w, b]), shape: [x.shape[0], outputs, ...windows.map(({ output }) => output)] };
  }),
  ConvTranspose: one(([x, w, b], attributes) => {
    const group = intOf(attributes, "group", 1);
    const [inputs, perGroup, ...kernel] = channelsAndKernel(x, w);
    const outputs = perGroup * group;
    assert(x.shape[1] === inputs && inputs % group === 0, `${x.shape[1]} channels are ${inputs}, in ${group} groups`);
    assert(
      b === undefined || (b.shape.length === 1 && b.shape[0] === outputs),
      `the bias [${b?.shape}] is [${outputs}]`,
    );
    const windows = transposedWindowsOf(attributes, x.shape.slice(2), kernel);
    return { dataType: commonType([x, w, b]), shape: [x.shape[0], outputs, ...windows.map(({ output }) => output)] };
  }),
} as const satisfies Record<string, Inference>;

function channelsAndKernel(x: Value, w: Value): readonly number[] {
  assert(
    x.shape.length >= 3 && x.shape.length === w.shape.length,
    `[${x.shape}] and the weight [${w.shape}] have one rank`,
  );
  assert(
    w.shape.every((size) => typeof size === "number"),
    `the weight's sizes [${w.shape}] are known`,
  );
  return w.shape.map(Number);
}
