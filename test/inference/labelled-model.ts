import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";

/** Gives its input `x`, FP32 [n, 3], back as `y`, with properties of its own. */
export function labelledModel(metadata: Readonly<Record<string, string>>): Uint8Array {
  const graph = new GraphBuilder("labelled");
  graph.output("y", graph.input("x", "FP32", ["n", 3]));
  return writeModel(modelOf(graph.graph(), { metadata }));
}
