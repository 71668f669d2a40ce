import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { like } from "./rule.ts";

/** One direction of a recurrent layer, and the gradients of what it gives. Sequences are [steps, rows, …], states [rows, hidden]. */
export interface Direction {
  readonly graph: GraphBuilder;
  /** From the last step to the first. */
  readonly isReversed: boolean;
  readonly x: Value;
  /** [gates · hidden, features]. */
  readonly w: Value;
  /** [gates · hidden, hidden]. */
  readonly r: Value;
  /** [gates · hidden] of the input's and of the recurrent products. */
  readonly b: readonly [Value, Value] | undefined;
  readonly y: Value;
  readonly h: Value;
  readonly c: Value;
  readonly dy: Value;
  readonly dh: Value;
  readonly dc: Value;
  /** GRU's linear_before_reset. */
  readonly isLinearFirst: boolean;
}

/** The gradients of a direction's inputs. */
export interface DirectionSlopes {
  readonly x: Value;
  readonly w: Value;
  readonly r: Value;
  readonly b: Value;
  readonly h: Value;
  readonly c?: Value;
}

/** Carries `initial` over all steps, onwards or back; what each step gives is stacked in the order of time. */
export function carriedOver(
  { graph, isReversed, x }: Direction,
  way: "onwards" | "back",
  initial: readonly Value[],
  step: (
    inner: GraphBuilder,
    at: (sequence: Value) => Value,
    carried: readonly Value[],
  ) => { readonly carried: readonly Value[]; readonly scanned: readonly Value[] },
): { readonly carried: readonly Value[]; readonly scanned: readonly Value[] } {
  const fromEnd = isReversed === (way === "onwards");
  const stepCount = graph.sizesOf(x, 0, 1);
  const last = graph.sub(stepCount, graph.sizes([1]));
  const { carried, scanned } = graph.loop(stepCount, x.shape[0], initial, (inner, iteration, before) => {
    const place = fromEnd ? inner.reshape(inner.sub(last, iteration), inner.sizes([])) : iteration;
    return step(inner, (sequence) => inner.gather(sequence, place), before);
  });
  return { carried, scanned: fromEnd ? scanned.map((sequence) => turned(graph, sequence)) : scanned };
}

/** The outputs that each step took from the one before it. */
export function takenOver({ graph, isReversed, y, h }: Direction): Value {
  const first = graph.unsqueeze(h, [0]);
  const parts = isReversed ? [graph.slice(y, 0, 1, Number.MAX_SAFE_INTEGER), first] : [first, graph.slice(y, 0, 0, -1)];
  return graph.shaped(graph.concat(parts, 0), graph.shapeOf(y));
}

/** `sequence` times the transpose of a weight, with a bias. */
export function linear(graph: GraphBuilder, sequence: Value, weight: Value, bias: Value | undefined): Value {
  const product = graph.matMul(sequence, graph.transpose(weight, [1, 0]));
  return bias === undefined ? product : graph.add(product, bias);
}

/** The gradient of a weight that `sequence` was multiplied with: the sum over steps and rows. */
export function weightSlope(graph: GraphBuilder, slopes: Value, sequence: Value): Value {
  const rows = (value: Value) => graph.reshape(value, graph.sizes([-1, Number(value.shape[2])]));
  return graph.gemm(rows(slopes), rows(sequence), undefined, { transposeA: true });
}

/** So many equal parts along the last axis. */
export function parts(graph: GraphBuilder, value: Value, count: number): readonly Value[] {
  const size = Number(value.shape.at(-1)) / count;
  return graph.split(value, graph.sizes(Array(count).fill(size)), -1);
}

/** `1 − x`. */
export function rest(graph: GraphBuilder, x: Value): Value {
  return graph.sub(like(graph, 1, x), x);
}

/** The derivative of Sigmoid, from what it gives. */
export function sigmoidSlope(graph: GraphBuilder, y: Value): Value {
  return graph.mul(y, rest(graph, y));
}

/** The derivative of Tanh, from what it gives. */
export function tanhSlope(graph: GraphBuilder, y: Value): Value {
  return rest(graph, graph.mul(y, y));
}

function turned(graph: GraphBuilder, sequence: Value): Value {
  const backwards = [[-1], [Number.MIN_SAFE_INTEGER], [0], [-1]].map((numbers) => graph.sizes(numbers));
  return graph.shaped(graph.node("Slice", [sequence, ...backwards]), graph.shapeOf(sequence));
}
