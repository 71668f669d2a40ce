import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import type { ModelProto } from "../../../lib/onnx/model.ts";
import { pruned } from "../../../lib/onnx/pruned.ts";
import type { Network, Served } from "./network.ts";

/**
 * The trained network as it is served: `input` [batch, ...row] to `output` FP32 [batch, ...row], or as the network says, the weights
 * inside, under the names of the network's parameters and statistics.
 *
 * `tensors` holds the elements of each of them by name; the model aliases them.
 */
export function inferenceModel(network: Network, tensors: ReadonlyMap<string, Float32Array>): ModelProto {
  const graph = new GraphBuilder("network");
  const { dataType, rowShape } = network.input;
  const byDefault: Served = { input: { name: "input", dataType }, outputName: "output", rows: "batch", notes: {} };
  const served = network.served ?? byDefault;
  const input = graph.input(served.input.name, served.input.dataType, [served.rows, ...rowShape]);
  const held = [...network.parameters, ...network.statistics].map(
    ({ name, shape }) => [name, graph.initializer(name, "FP32", shape, tensors.get(name) as Float32Array)] as const,
  );
  graph.output(served.outputName, network.append(graph, input, new Map(held), { kind: "inference" }).output);
  return modelOf(pruned(graph.graph()), served.notes);
}
