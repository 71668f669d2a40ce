import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";

/** An ONNX file: FP32 `x` [rows, 2] in, `y` = x + x out. */
export function doublingModel(): Buffer {
  const graph = new GraphBuilder("doubling");
  const x = graph.input("x", "FP32", ["rows", 2]);
  graph.output("y", graph.add(x, x));
  return Buffer.from(writeModel(modelOf(graph.graph())));
}
