import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { elementwiseOperators } from "../../../../lib/onnx/operators/elementwise.ts";
import { intOf } from "../../../../lib/onnx/operators/inference.ts";
import { type Derivation, like, once, type Rules } from "./rule.ts";

/** Rules of operators that work on each element by itself. */
export const elementwiseRules = {
  Add: ({ dy }) => [() => dy, () => dy],
  Sub: ({ graph, dy }) => [() => dy, () => graph.neg(dy)],
  Mul: ({ graph, inputs: [a, b], dy }) => [() => graph.mul(dy, b), () => graph.mul(dy, a)],
  Div: ({ graph, inputs: [, b], output, dy }) => [
    () => graph.div(dy, b),
    () => graph.neg(graph.mul(dy, graph.div(output, b))),
  ],
  /** `a − b·trunc(a/b)`, the only one that ONNX defines for floats (`fmod` 1). */
  Mod: ({ graph, inputs: [a, b], attributes, dy, refusal }) => {
    if (intOf(attributes, "fmod", 0) !== 1) throw refusal("fmod", 0, "1");
    return [() => dy, () => graph.neg(graph.mul(dy, truncated(graph, graph.div(a, b))))];
  },
  /** At a base or an exponent of zero as PyTorch: what is 0 · ∞ by the formula is 0. */
  Pow: ({ graph, inputs: [base, power], output, dy }) => {
    const exponent = graph.cast(power, base.dataType);
    const unlessZero = (x: Value, slope: Value) =>
      graph.where(graph.equal(x, like(graph, 0, x)), like(graph, 0, x), slope);
    return [
      () => {
        const below = graph.pow(base, graph.sub(exponent, like(graph, 1, exponent)));
        return graph.mul(dy, unlessZero(exponent, graph.mul(exponent, below)));
      },
      () => graph.mul(dy, unlessZero(base, graph.mul(output, graph.log(base)))),
    ];
  },
  Neg: ({ graph, dy }) => [() => graph.neg(dy)],
  /** 0 at 0, as in PyTorch. */
  Abs: ({ graph, inputs: [x], dy }) => [() => graph.mul(dy, graph.node("Sign", [x]))],
  Sign: flat,
  Reciprocal: ({ graph, output, dy }) => [() => graph.neg(graph.mul(dy, graph.mul(output, output)))],
  Exp: ({ graph, output, dy }) => [() => graph.mul(dy, output)],
  Log: ({ graph, inputs: [x], dy }) => [() => graph.div(dy, x)],
  Sqrt: ({ graph, output, dy }) => [() => graph.div(graph.mul(dy, like(graph, 0.5, dy)), output)],
  /** erf′(x) = 2/√π · exp(−x²). */
  Erf: ({ graph, inputs: [x], dy }) => [
    () => graph.mul(graph.mul(dy, like(graph, 2 / Math.sqrt(Math.PI), dy)), graph.exp(graph.neg(graph.mul(x, x)))),
  ],
  Sin: ({ graph, inputs: [x], dy }) => [() => graph.mul(dy, graph.node("Cos", [x]))],
  Cos: ({ graph, inputs: [x], dy }) => [() => graph.neg(graph.mul(dy, graph.node("Sin", [x])))],
  Ceil: flat,
  Floor: flat,
  Round: flat,
  Min: sharedByEquals,
  Max: sharedByEquals,
  /** What is at a bound is outside, as in `torch.clamp` with numbers for bounds (PyTorch 2.15); where min > max all is max. */
  Clip: ({ graph, inputs: [x, min, max], dy }) => {
    const passed = (blocked: readonly Value[]) =>
      blocked.reduce((passing, condition) => graph.where(condition, like(graph, 0, dy), passing), dy);
    const [below, above] = [min && graph.node("LessOrEqual", [x, min]), max && graph.node("GreaterOrEqual", [x, max])];
    const crossed = min && max && graph.node("GreaterOrEqual", [min, max]);
    const given = (conditions: readonly (Value | undefined)[]) => conditions.filter((value) => value !== undefined);
    return [
      () => passed(given([below, above])),
      () => passed(given([graph.node("Not", [below]), crossed])),
      () => passed([graph.node("Not", [crossed === undefined ? above : graph.node("Or", [above, crossed])])]),
    ];
  },
  Identity: ({ dy }) => [() => dy],
  Equal: undefined,
  BitShift: undefined,
  BitwiseXor: undefined,
  Greater: undefined,
  GreaterOrEqual: undefined,
  Less: undefined,
  LessOrEqual: undefined,
  Not: undefined,
  And: undefined,
  Or: undefined,
  Xor: undefined,
  Where: ({ graph, inputs: [condition], dy }) => [
    undefined,
    () => graph.where(condition, dy, like(graph, 0, dy)),
    () => graph.where(condition, like(graph, 0, dy), dy),
  ],
  Cast: ({ graph, inputs: [x], dy }) => [() => graph.cast(dy, x.dataType)],
} as const satisfies Rules<typeof elementwiseOperators>;

/** Of a function that is constant between its steps. */
function flat(): [] {
  return [];
}

/** The gradient of a largest or smallest operand; equals share it, as in `torch.maximum` and `torch.minimum`. */
function sharedByEquals({ graph, inputs, output, dy }: Derivation): (() => Value)[] {
  const isOutput = (x: Value) => graph.cast(graph.equal(x, output), dy.dataType);
  const share = once(() => graph.div(dy, inputs.map(isOutput).reduce(graph.add)));
  return inputs.map((x) => () => graph.mul(share(), isOutput(x)));
}

/** Rounded towards zero. */
function truncated(graph: GraphBuilder, x: Value): Value {
  return graph.where(graph.greater(x, like(graph, 0, x)), graph.node("Floor", [x]), graph.node("Ceil", [x]));
}
