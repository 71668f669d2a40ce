import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { intOf, stringOf } from "../../../../lib/onnx/operators/inference.ts";
import type { recurrentOperators } from "../../../../lib/onnx/operators/recurrent.ts";
import { gruSlopes } from "./gru.ts";
import { lstmSlopes } from "./lstm.ts";
import type { Direction, DirectionSlopes } from "./recurrent-direction.ts";
import { type Derivation, once, type Rules } from "./rule.ts";

/**
 * Rules of recurrent layers, by backpropagation through time (Werbos 1990). All outputs are known, so that the gates of all steps are worked
 * out again at once; only what each step hands back to the one before it runs in a Loop.
 */
export const recurrentRules = {
  LSTM: (derivation) => slopesOf(derivation, lstmSlopes),
  GRU: (derivation) => slopesOf(derivation, gruSlopes),
} as const satisfies Rules<typeof recurrentOperators>;

function slopesOf(
  derivation: Derivation,
  through: (direction: Direction) => DirectionSlopes,
): readonly ((() => Value) | undefined)[] {
  const { graph, inputs } = derivation;
  checkSupported(derivation);
  const ways = once(() => directionsOf(derivation).map(through));
  const stacked = (name: "w" | "r" | "b" | "h" | "c") => () =>
    graph.concat(
      ways().map((way) => graph.unsqueeze(way[name] as Value, [0])),
      0,
    );
  const x = () =>
    ways()
      .map((way) => way.x)
      .reduce(graph.add);
  return [x, stacked("w"), stacked("r"), inputs[3] && stacked("b"), undefined, stacked("h"), stacked("c")];
}

function checkSupported({ inputs, attributes, refusal }: Derivation): void {
  if (inputs[4] !== undefined) throw refusal("the input", "sequence_lens", "sequences of one length");
  if (inputs[7] !== undefined) throw refusal("the input", "P", "no peepholes");
  for (const name of ["activations", "activation_alpha", "activation_beta", "clip"]) {
    if (attributes[name] !== undefined) throw refusal(name, `${attributes[name].value}`, "none");
  }
  const coupled = intOf(attributes, "input_forget", 0);
  if (coupled !== 0) throw refusal("input_forget", coupled, "0");
}

function directionsOf({ graph, inputs, attributes, outputs, dys }: Derivation): readonly Direction[] {
  const [x, w, r, b, , h, c] = inputs;
  const way = stringOf(attributes, "direction", "forward");
  const reversed = way === "bidirectional" ? [false, true] : [way === "reverse"];
  return reversed.map((isReversed, index) => {
    const at = graph.scalar(index, "INT64");
    const y = graph.gather(outputs[0], at, 1);
    const none = once(() => graph.zeros(graph.gather(y, graph.scalar(0, "INT64"))));
    const of = (value: Value | undefined) => (value === undefined ? none() : graph.gather(value, at));
    return {
      graph,
      isReversed,
      x,
      w: graph.gather(w, at),
      r: graph.gather(r, at),
      b: b && halves(graph, graph.gather(b, at)),
      y,
      h: of(h),
      c: of(c),
      dy: dys[0] === undefined ? graph.zeros(y) : graph.gather(dys[0], at, 1),
      dh: of(dys[1]),
      dc: of(dys[2]),
      isLinearFirst: intOf(attributes, "linear_before_reset", 0) === 1,
    };
  });
}

/** The biases of the input's and of the recurrent products. */
function halves(graph: GraphBuilder, b: Value): readonly [Value, Value] {
  const half = Number(b.shape[0]) / 2;
  const [ofInput, recurrent] = graph.split(b, graph.sizes([half, half]), 0);
  return [ofInput, recurrent];
}
