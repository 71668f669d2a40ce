import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { type ModelNotes, modelOf } from "../../../lib/onnx/export.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { ModelProto } from "../../../lib/onnx/model.ts";
import { type Network, networkOutput } from "./layers.ts";

/**
 * The trained network as it is served: `input` FP32 [batch, features] to `output` FP32 [batch, outputs], the weights
 * inside, under the names that PyTorch's `Sequential` would give them after `layers.`.
 *
 * `weights` holds the elements of each parameter by name; the model aliases them.
 */
export function inferenceModel(
  network: Network,
  weights: ReadonlyMap<string, Float32Array>,
  notes: ModelNotes = {},
): ModelProto {
  const graph = new GraphBuilder("network");
  const input = graph.input("input", "FP32", ["batch", network.inputSize]);
  const parameters = new Map<string, Value>();
  for (const { name, shape } of network.parameters) {
    parameters.set(name, graph.initializer(name, "FP32", shape, weights.get(name) as Float32Array));
  }
  graph.output("output", networkOutput(graph, network, input, parameters).output);
  return modelOf(graph.graph(), notes);
}
