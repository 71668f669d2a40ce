import fc from "fast-check";
import { int, string } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { Case, Cases, Shape } from "./case.ts";

const directions = ["forward", "reverse", "bidirectional"] as const;
type Way = (typeof directions)[number];

/** The runtime has both in single precision only, so that the differences are those of the same steps out of smaller operators. */
export const recurrentCases: Cases = {
  LSTM: directions.flatMap((way) => [0, 1, 2].map((output) => recurrent("LSTM", way, output, lstmStep))),
  GRU: directions.flatMap((way) =>
    [0, 1].flatMap((output) => [0, 1].map((linear) => recurrent("GRU", way, output, gruStep(linear === 1), linear))),
  ),
};

type Step = (graph: GraphBuilder, x: Value, weights: readonly Value[], states: readonly Value[]) => readonly Value[];

function recurrent(operator: "LSTM" | "GRU", way: Way, output: number, step: Step, linear?: number): Case {
  const [gates, stateCount, count] = [
    operator === "LSTM" ? 4 : 3,
    operator === "LSTM" ? 2 : 1,
    way === "bidirectional" ? 2 : 1,
  ];
  const size = fc.integer({ min: 1, max: 3 });
  return {
    shapes: fc
      .tuple(size, size, size, fc.integer({ min: 1, max: 2 }))
      .map(([steps, rows, features, hidden]): Shape[] => [
        [steps, rows, features],
        [count, gates * hidden, features],
        [count, gates * hidden, hidden],
        [count, 2 * gates * hidden],
        ...Array(stateCount).fill([count, rows, hidden]),
      ]),
    range: [-1, 1],
    sized: true,
    apply: (graph, [x, w, r, b, ...states]) => {
      const attributes = { hidden_size: int(Number(r.shape[2])), direction: string(way) };
      const all = linear === undefined ? attributes : { ...attributes, linear_before_reset: int(linear) };
      return graph.many(operator, [x, w, r, b, undefined, ...states], all)[output];
    },
    composed: (graph, inputs) => composed(graph, inputs, way, step)[output],
  };
}

function composed(
  graph: GraphBuilder,
  [x, w, r, b, ...states]: readonly Value[],
  way: Way,
  step: Step,
): readonly Value[] {
  const of = (value: Value, index: number) => graph.gather(value, graph.scalar(index, "INT64"));
  const steps = Array.from({ length: Number(x.shape[0]) }, (_, index) => index);
  const ways = (way === "bidirectional" ? [false, true] : [way === "reverse"]).map((isReversed, index) => {
    let carried: readonly Value[] = states.map((state) => of(state, index));
    const given: Value[] = [];
    for (const at of isReversed ? steps.toReversed() : steps) {
      carried = step(
        graph,
        of(x, at),
        [w, r, b].map((value) => of(value, index)),
        carried,
      );
      given[at] = graph.unsqueeze(carried[0], [0, 1]);
    }
    return { all: graph.concat(given, 0), carried };
  });
  const last = states.map((_, state) =>
    graph.concat(
      ways.map(({ carried }) => graph.unsqueeze(carried[state], [0])),
      0,
    ),
  );
  return [
    graph.concat(
      ways.map(({ all }) => all),
      1,
    ),
    ...last,
  ];
}

function lstmStep(
  graph: GraphBuilder,
  x: Value,
  [w, r, b]: readonly Value[],
  [h, c]: readonly Value[],
): readonly Value[] {
  const [ofInput, ofState] = halves(graph, b);
  const sums = graph.add(linear(graph, x, w, ofInput), linear(graph, h, r, ofState));
  const [i, o, f, g] = parted(graph, sums, 4);
  const cell = graph.add(graph.mul(graph.sigmoid(f), c), graph.mul(graph.sigmoid(i), graph.tanh(g)));
  return [graph.mul(graph.sigmoid(o), graph.tanh(cell)), cell];
}

function gruStep(isLinearFirst: boolean): Step {
  return (graph, x, [w, r, b], [h]) => {
    const [ofInput, ofState] = halves(graph, b);
    const [zx, rx, nx] = parted(graph, linear(graph, x, w, ofInput), 3);
    const [zh, rh, nh] = parted(graph, linear(graph, h, r, ofState), 3);
    const [z, reset] = [graph.sigmoid(graph.add(zx, zh)), graph.sigmoid(graph.add(rx, rh))];
    const afterReset = () => parted(graph, linear(graph, graph.mul(reset, h), r, ofState), 3)[2];
    const n = graph.tanh(graph.add(nx, isLinearFirst ? graph.mul(reset, nh) : afterReset()));
    return [graph.add(graph.mul(graph.sub(graph.scalar(1, "FP64"), z), n), graph.mul(z, h))];
  };
}

function linear(graph: GraphBuilder, x: Value, weight: Value, bias: Value): Value {
  return graph.gemm(x, weight, bias, { transposeB: true });
}

function halves(graph: GraphBuilder, b: Value): readonly Value[] {
  const half = Number(b.shape[0]) / 2;
  return graph.split(b, graph.sizes([half, half]), 0);
}

function parted(graph: GraphBuilder, x: Value, count: number): readonly Value[] {
  return graph.split(x, graph.sizes(Array(count).fill(Number(x.shape[1]) / count)), 1);
}
