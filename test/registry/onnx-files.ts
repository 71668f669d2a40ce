import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";

/** `y` = `x` + `addend`, FP32 [batch, 2]; another addend makes another file. */
export function addingModel(addend: number): Uint8Array {
  const graph = new GraphBuilder("adding");
  graph.output("y", graph.add(graph.input("x", "FP32", ["batch", 2]), graph.scalar(addend, "FP32")));
  return writeModel(modelOf(graph.graph()));
}

/** `logits` = `pixels`·w + b, FP32 [batch, 4] to [batch, 3]: 15 parameters. */
export function linearModel(): Uint8Array {
  const graph = new GraphBuilder("linear");
  const pixels = graph.input("pixels", "FP32", ["batch", 4]);
  const w = graph.initializer("w", "FP32", [4, 3], new Float32Array(12).fill(0.5));
  const b = graph.initializer("b", "FP32", [3], new Float32Array(3));
  graph.output("logits", graph.gemm(pixels, w, b));
  return writeModel(modelOf(graph.graph()));
}

/** A file that says of itself what no model can have: an initializer with these dimensions, this operator set. */
export function strangeModel({ dims = [1], opset = 18 }: { dims?: readonly number[]; opset?: number }): Uint8Array {
  const graph = new GraphBuilder("strange");
  graph.output(
    "y",
    graph.add(graph.input("x", "FP32", ["n"]), graph.initializer("w", "FP32", [1], new Float32Array(1))),
  );
  const model = modelOf(graph.graph());
  const initializer = model.graph?.initializer?.map((tensor) => ({ ...tensor, dims }));
  return writeModel({
    ...model,
    opsetImport: [{ domain: "", version: opset }],
    graph: { ...model.graph, initializer },
  });
}
