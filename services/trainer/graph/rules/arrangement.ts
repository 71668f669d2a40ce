import type { Value } from "../../../../lib/onnx/graph.ts";
import type { arrangementOperators } from "../../../../lib/onnx/operators/arrangement.ts";
import { intOf, intsOf } from "../../../../lib/onnx/operators/inference.ts";
import { arranged } from "./matrices.ts";
import { type Derivation, once, type Rules } from "./rule.ts";

/** Rules of operators that give all elements in another arrangement, or tell the sizes. */
export const arrangementRules = {
  Reshape: reshapedBack,
  Flatten: reshapedBack,
  Expand: ({ dy }) => [() => dy],
  Unsqueeze: reshapedBack,
  Squeeze: reshapedBack,
  Transpose: ({ graph, inputs: [x], attributes, dy }) => {
    const axes = [...x.shape.keys()];
    const perm = intsOf(attributes, "perm") ?? axes.toReversed();
    return [
      () =>
        arranged(
          graph,
          dy,
          axes.map((axis) => perm.indexOf(axis)),
        ),
    ];
  },
  /** Each axis of a tiling is two: which copy, and where in it. */
  Tile: ({ graph, inputs: [x, repeats], dy }) => [
    () => {
      const axes = x.shape.map((_, axis) => axis);
      const pairs = axes.flatMap((axis) => [graph.slice(repeats, 0, axis, axis + 1), graph.sizesOf(x, axis, axis + 1)]);
      if (axes.length === 0) return dy;
      return graph.reduceSum(
        graph.shaped(dy, graph.concat(pairs, 0)),
        axes.map((axis) => 2 * axis),
      );
    },
  ],
  Concat: ({ graph, inputs, attributes, dy }) => {
    const axis = intOf(attributes, "axis", 0);
    const front = axis < 0 ? axis + dy.shape.length : axis;
    const parts = once(() =>
      graph.split(
        dy,
        graph.concat(
          inputs.map((x) => graph.sizesOf(x, front, front + 1)),
          0,
        ),
        front,
      ),
    );
    return inputs.map((_, index) => () => parts()[index]);
  },
  Split: ({ graph, attributes, outputs, dys }) => [
    () =>
      graph.concat(
        outputs.map((output, index) => dys[index] ?? graph.zeros(output)),
        intOf(attributes, "axis", 0),
      ),
  ],
  Shape: undefined,
  Size: undefined,
  ConstantOfShape: undefined,
  Range: undefined,
} as const satisfies Rules<typeof arrangementOperators>;

/** One size that is not known follows from the others, so that the input need not be kept to be asked. */
function reshapedBack({ graph, inputs: [x], dy }: Derivation): (() => Value)[] {
  const isOpen = x.shape.filter((size) => typeof size === "string").length === 1 && !x.shape.includes(0);
  const sizes = () => graph.sizes(x.shape.map((size) => (typeof size === "number" ? size : -1)));
  return [() => (isOpen ? graph.reshape(dy, sizes()) : graph.shaped(dy, graph.shapeOf(x)))];
}
