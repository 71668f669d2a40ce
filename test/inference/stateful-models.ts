import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { readModel, writeModel } from "../../lib/onnx/model.ts";

/** `y` = `next` = `state` + `x`, FP32 [n, 2]. */
export function accumulatorModel(): Uint8Array {
  const graph = new GraphBuilder("accumulator");
  const sum = graph.add(graph.input("state", "FP32", ["n", 2]), graph.input("x", "FP32", ["n", 2]));
  graph.output("next", sum);
  graph.output("y", sum);
  return writeModel(modelOf(graph.graph()));
}

/** How the accumulator is served. */
export const accumulating: ServingSettings = {
  sequenceBatching: { states: [{ inputName: "state", outputName: "next" }] },
};

/** `grown` = `history` and then `x`, FP32 [n, t] and [n, 1]; `count` = how many that are, INT64 []. */
export function historyModel(): Uint8Array {
  const graph = new GraphBuilder("history");
  const x = graph.input("x", "FP32", ["n", 1]);
  graph.output("grown", graph.add(graph.input("history", "FP32", ["n", "t"]), x));
  const model = readModel(writeModel(modelOf(graph.graph())));
  // The builder does not know this operator.
  const joined = {
    opType: "Concat",
    input: ["history", "x"],
    output: ["grown"],
    attribute: [{ name: "axis", type: 2, i: 1 }],
  };
  const elements = { opType: "Size", input: ["grown"], output: ["count"] };
  const { output = [] } = model.graph!;
  const grown = {
    ...output[0],
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "n" }, { dimParam: "u" }] } } },
  };
  const count = { name: "count", type: { tensorType: { elemType: 7, shape: { dim: [] } } } };
  return writeModel({ ...model, graph: { ...model.graph, node: [joined, elements], output: [grown, count] } });
}

/** `next` = `state` + 1, FP32 [n, k]; `y` = its third column + `x`, FP32 [n, 1]. */
export function thirdColumnModel(): Uint8Array {
  const graph = new GraphBuilder("third");
  const state = graph.input("state", "FP32", ["n", "k"]);
  const third = graph.gather(state, graph.sizes([2]), 1);
  graph.output("y", graph.add(third, graph.input("x", "FP32", ["n", 1])));
  graph.output("next", graph.add(state, graph.scalar(1, "FP32")));
  return writeModel(modelOf(graph.graph()));
}

/** `left` = `x` - 1 and `done` = whether that is 0, of a type and BOOL [n, 1]. */
export function countdownModel(dataType: "INT64" | "FP32" = "INT64"): Uint8Array {
  const graph = new GraphBuilder("countdown");
  const left = graph.sub(graph.input("x", dataType, ["n", 1]), graph.scalar(1, dataType));
  graph.output("left", left);
  graph.output("done", graph.equal(left, graph.scalar(0, dataType)));
  return writeModel(modelOf(graph.graph()));
}

/** How the countdown is served: `left` is the next `x`. */
export const countingDown: ServingSettings = {
  decoupled: {
    lastOutput: "done",
    maxResponses: 1000,
    feedbacks: [{ outputName: "left", inputName: "x" }],
  },
};

/**
 * A language of seven tokens: `next` is the one that follows `token`, and `last` whether that is token 0, both INT64 [n, 1];
 * `seen` counts in the state `length` how many there were.
 */
export function tokenModel(): Uint8Array {
  const graph = new GraphBuilder("tokens");
  const followers = graph.initializer("followers", "INT64", [7], BigInt64Array.of(1n, 3n, 5n, 2n, 6n, 4n, 0n));
  const next = graph.gather(followers, graph.input("token", "INT64", ["n", 1]));
  const length = graph.add(graph.input("length", "INT64", ["n", 1]), graph.scalar(1, "INT64"));
  graph.output("next", next);
  graph.output("last", graph.cast(graph.equal(next, graph.scalar(0, "INT64")), "INT64"));
  graph.output("longer", length);
  graph.output("seen", length);
  return writeModel(modelOf(graph.graph()));
}

/** How the language is served: with a state, in a loop, and joined with other requests. */
export const generating: ServingSettings = {
  sequenceBatching: { states: [{ inputName: "length", outputName: "longer" }] },
  decoupled: { lastOutput: "last", maxResponses: 100, feedbacks: [{ outputName: "next", inputName: "token" }] },
  dynamicBatching: { maxBatchSize: 8 },
};
