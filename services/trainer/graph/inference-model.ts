import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { type ModelNotes, modelOf } from "../../../lib/onnx/export.ts";
import type { ModelProto } from "../../../lib/onnx/model.ts";
import type { Network } from "./network.ts";

/**
 * The trained network as it is served: `input` [batch, ...row] to `output` FP32 [batch, ...row], the weights inside, under the
 * names of the network's parameters and statistics.
 *
 * `tensors` holds the elements of each of them by name; the model aliases them.
 */
export function inferenceModel(
  network: Network,
  tensors: ReadonlyMap<string, Float32Array>,
  notes: ModelNotes = {},
): ModelProto {
  const graph = new GraphBuilder("network");
  const input = graph.input("input", network.input.dataType, ["batch", ...network.input.rowShape]);
  const held = [...network.parameters, ...network.statistics].map(
    ({ name, shape }) => [name, graph.initializer(name, "FP32", shape, tensors.get(name) as Float32Array)] as const,
  );
  graph.output("output", network.append(graph, input, new Map(held), { kind: "inference" }).output);
  return modelOf(graph.graph(), notes);
}
