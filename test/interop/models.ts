import type { Sample } from "../../lib/gen/amaas/registry/v1/Sample.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Shape, Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import type { DataType } from "../../lib/tensor.ts";

/** Models with the names, inputs and outputs that Triton's example programs expect. */
export const models: Readonly<Record<string, Buffer>> = {
  simple: sumAndDifference("INT32"),
  simple_int8: sumAndDifference("INT8"),
  simple_string: sumAndDifference("BYTES"),
  simple_identity: identity("BYTES", ["batch", "width"]),
  simple_scalar: identity("FP32", []),
  classes: classes(),
};

/** Texts of numbers, which that model alone wants. */
const texts = Buffer.from("\u0001\0\0\u00007".repeat(16), "latin1");

/** What models run on at their registration that do not run on zeros. */
export const samples: Readonly<Record<string, Sample>> = {
  simple_string: {
    inputs: ["INPUT0", "INPUT1"].map((name) => ({ name, dataType: "BYTES", shape: [1, 16], contents: texts })),
  },
};

/** `OUTPUT0` = `INPUT0` + `INPUT1` and `OUTPUT1` their difference, [batch, 16]; of texts, their numbers are meant. */
function sumAndDifference(dataType: DataType): Buffer {
  const graph = new GraphBuilder("sum-and-difference");
  const inputs = ["INPUT0", "INPUT1"].map((name) => graph.input(name, dataType, ["batch", 16]));
  const [a, b] = inputs.map((input) => graph.cast(input, "INT32"));
  const given = (value: Value) => graph.cast(value, dataType);
  graph.output("OUTPUT0", given(graph.add(a, b)));
  graph.output("OUTPUT1", given(graph.sub(a, b)));
  return Buffer.from(writeModel(modelOf(graph.graph())));
}

function identity(dataType: DataType, shape: Shape): Buffer {
  const graph = new GraphBuilder("identity");
  graph.output("OUTPUT0", graph.input("INPUT0", dataType, shape));
  return Buffer.from(writeModel(modelOf(graph.graph())));
}

/** Gives four numbers per row back, with a label for each. */
function classes(): Buffer {
  const graph = new GraphBuilder("classes");
  graph.output("PROBABILITIES", graph.input("INPUT", "FP32", ["batch", 4]));
  const metadata = { "labels:PROBABILITIES": "cat\ndog\nbird\nfish\n" };
  return Buffer.from(writeModel(modelOf(graph.graph(), { metadata })));
}
