import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { Random } from "../../lib/random.ts";

/** A perceptron: `x`, FP32 [batch, 784], to `y`, FP32 [batch, 10]. */
export function smallModel(seed = 1): Uint8Array {
  const graph = new GraphBuilder("small");
  const weights = weightsOf(graph, seed);
  const hidden = graph.relu(graph.gemm(graph.input("x", "FP32", ["batch", 784]), weights([784, 512]), weights([512])));
  graph.output("y", graph.softmax(graph.gemm(hidden, weights([512, 10]), weights([10]))));
  return writeModel(modelOf(graph.graph()));
}

/** How it is run: one as small gains nothing by more threads, and would wait for their turns on busy cores. */
export const smallInstances = [{ count: 1, intraOpThreads: 1 }];

/** The shape of the transformer: about 10 ms on two cores. */
const encoder = { layers: 8, tokens: 128, width: 256, heads: 4, vocabulary: 1000 };

/** A transformer encoder: `ids`, INT64 [1, 128] below 1000, to `y`, FP32 [1, 256], the mean over the tokens. */
export function heavyModel(): Uint8Array {
  const { layers, tokens, width, vocabulary } = encoder;
  const graph = new GraphBuilder("heavy");
  const weights = weightsOf(graph, 2);
  let x = graph.gather(weights([vocabulary, width]), graph.input("ids", "INT64", [1, tokens]));
  x = graph.add(x, weights([tokens, width]));
  for (let layer = 0; layer < layers; layer++) {
    x = normalised(graph, graph.add(x, attention(graph, weights, x)));
    const inner = graph.relu(graph.add(graph.matMul(x, weights([width, 4 * width])), weights([4 * width])));
    x = normalised(graph, graph.add(x, graph.matMul(inner, weights([4 * width, width]))));
  }
  graph.output("y", graph.reduceMean(x, [1]));
  return writeModel(modelOf(graph.graph()));
}

/** The sizes of its inputs and outputs. */
export const heavyTensors = { tokens: encoder.tokens, vocabulary: encoder.vocabulary };

/** A model of 100 MB that is quick to run: `x`, FP32 [batch, 5000], to `y`, FP32 [batch, 5000]. */
export function largeModel(): Uint8Array {
  const graph = new GraphBuilder("large");
  const width = 5000;
  // The same number everywhere: what it is does not matter, and random ones take seconds.
  const weights = graph.initializer("w", "FP32", [width, width], new Float32Array(width * width).fill(0.01));
  graph.output("y", graph.matMul(graph.input("x", "FP32", ["batch", width]), weights));
  return writeModel(modelOf(graph.graph()));
}

type Weights = (shape: readonly number[]) => Value;

/** Seeded weights, small enough that values stay near 1 through all layers. */
function weightsOf(graph: GraphBuilder, seed: number): Weights {
  const random = new Random(seed, "weights");
  return (shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const scale = 2 / Math.sqrt(shape[0]!);
    const elements = Float32Array.from({ length: count }, () => (random.uniform() - 0.5) * scale);
    return graph.initializer("w", "FP32", shape, elements);
  };
}

function attention(graph: GraphBuilder, weights: Weights, x: Value): Value {
  const { tokens, width, heads } = encoder;
  const perHead = width / heads;
  const projected = (perm: readonly number[]) => {
    const split = graph.reshape(graph.matMul(x, weights([width, width])), graph.sizes([1, tokens, heads, perHead]));
    return graph.transpose(split, perm);
  };
  const [queries, keys, values] = [projected([0, 2, 1, 3]), projected([0, 2, 3, 1]), projected([0, 2, 1, 3])];
  const scores = graph.div(graph.matMul(queries, keys), graph.scalar(Math.sqrt(perHead), "FP32"));
  const mixed = graph.transpose(graph.matMul(graph.softmax(scores), values), [0, 2, 1, 3]);
  return graph.matMul(graph.reshape(mixed, graph.sizes([1, tokens, width])), weights([width, width]));
}

/** Layer normalisation of the last axis without learned scales. */
function normalised(graph: GraphBuilder, x: Value): Value {
  const centred = graph.sub(x, graph.reduceMean(x, [-1], true));
  const variance = graph.reduceMean(graph.mul(centred, centred), [-1], true);
  return graph.div(centred, graph.sqrt(graph.add(variance, graph.scalar(1e-5, "FP32"))));
}
