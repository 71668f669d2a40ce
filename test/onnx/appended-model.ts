import { appended } from "../../lib/onnx/appended.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import type { Graph } from "../../lib/onnx/graph.ts";
import { readGraph } from "../../lib/onnx/graph-reader.ts";
import type { ModelProto } from "../../lib/onnx/model.ts";

/** A graph of a builder's that gives what a model gives, under the same names; `sizes` are other names of the file's sizes. */
export function appendedGraph(model: ModelProto, sizes: Readonly<Record<string, string | number>> = {}): Graph {
  const read = readGraph(model);
  const graph = new GraphBuilder("appended");
  const initializers = new Set(read.graph.initializers);
  const given = read.graph.inputs
    .filter((input) => !initializers.has(input))
    .map((input) => {
      const shape = input.shape.map((size) => sizes[size] ?? size);
      return [input, graph.read({ ...input, shape }, "input")] as const;
    });
  const values = appended(graph, read, new Map(given), read.graph.outputs);
  for (const [index, value] of values.entries()) graph.output(read.graph.outputs[index]!.name, value);
  return graph.graph();
}
