import { int, string } from "./attributes.ts";
import type { GraphBuilder } from "./builder.ts";
import type { Attributes, Value } from "./graph.ts";
import { intOf, intsOf, stringOf } from "./operators/inference.ts";

/** An operator with what it is applied to. */
export interface Application {
  readonly operator: string;
  /** Of the operator set that gives it its meaning. */
  readonly version: number;
  /** One that is left out is undefined. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** How many outputs are asked for. */
  readonly outputCount: number;
}

/** The oldest of ONNX's operator sets that can be brought to the meaning of the newest, and the newest. */
export const knownOpsets = { oldest: 13, newest: 26 } as const;

/**
 * An application of an operator of ONNX's own set of a version from {@link knownOpsets} in the form that our tables of operators and
 * rules know, which is also that of the newest set. May append nodes that make the inputs of the new form.
 */
export function converted(graph: GraphBuilder, application: Application): Application {
  const { operator, version } = application;
  const [since, convert] = Object.hasOwn(conversions, operator) ? conversions[operator]! : [0];
  return convert === undefined || version >= since ? application : { ...convert(graph, application), version: since };
}

/** Operators whose form has changed since the oldest set: with which set, and how the form before is brought to the one after. */
const conversions: Readonly<Record<string, readonly [since: number, Conversion]>> = {
  ReduceMax: [18, axesAsInput],
  ReduceMean: [18, axesAsInput],
  ReduceMin: [18, axesAsInput],
  ReduceProd: [18, axesAsInput],
  ReduceL1: [18, axesAsInput],
  ReduceL2: [18, axesAsInput],
  ReduceSumSquare: [18, axesAsInput],
  ReduceLogSum: [18, axesAsInput],
  ReduceLogSumExp: [18, axesAsInput],
  /** How many parts there are was seen from the outputs. */
  Split: [
    18,
    (_graph, application) => {
      const { inputs, attributes, outputCount } = application;
      if (inputs[1] !== undefined) return application;
      return { ...application, attributes: { ...attributes, num_outputs: int(outputCount) } };
    },
  ],
  /** That it trains was seen from the outputs; those of the batch alone are no more. */
  BatchNormalization: [
    14,
    (_graph, application) => {
      const { attributes, outputCount } = application;
      const training = { ...attributes, training_mode: int(outputCount > 1 ? 1 : 0) };
      return { ...application, attributes: training, outputCount: Math.min(outputCount, 3) };
    },
  ],
  /** Scale and bias were those of groups, and are those of channels. */
  GroupNormalization: [
    21,
    (graph, application) => {
      const { inputs, attributes } = application;
      const [x, ...perGroup] = inputs as readonly Value[];
      const groups = intOf(attributes, "num_groups", 1);
      const each = Number(x!.shape[1]) / groups;
      const perChannel = perGroup.map((value) =>
        graph.reshape(graph.expand(graph.unsqueeze(value, [1]), graph.sizes([groups, each])), graph.sizes([-1])),
      );
      return { ...application, inputs: [x, ...perChannel] };
    },
  ],
  RoiAlign: [
    16,
    (_graph, application) => {
      const { attributes } = application;
      return {
        ...application,
        attributes: { coordinate_transformation_mode: string("output_half_pixel"), ...attributes },
      };
    },
  ],
  GridSample: [
    20,
    (_graph, application) => {
      const { attributes } = application;
      const mode = stringOf(attributes, "mode", "bilinear").replace("bilinear", "linear").replace("bicubic", "cubic");
      return { ...application, attributes: { ...attributes, mode: string(mode) } };
    },
  ],
  DFT: [
    20,
    (graph, application) => {
      const { axis, ...attributes } = application.attributes;
      const [x, length] = application.inputs;
      const given = graph.scalar(intOf({ ...(axis && { axis }) }, "axis", 1), "INT64");
      return { ...application, inputs: [x, length, given], attributes };
    },
  ],
};

type Conversion = (graph: GraphBuilder, application: Application) => Application;

function axesAsInput(graph: GraphBuilder, application: Application): Application {
  const { axes: _axes, ...attributes } = application.attributes;
  const axes = intsOf(application.attributes, "axes");
  return axes === undefined
    ? application
    : { ...application, inputs: [application.inputs[0], graph.sizes(axes)], attributes };
}
