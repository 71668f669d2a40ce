import type { Sample } from "../../lib/gen/amaas/registry/v1/Sample.ts";
import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Shape, Value } from "../../lib/onnx/graph.ts";
import { readModel, writeModel } from "../../lib/onnx/model.ts";
import type { DataType } from "../../lib/tensor.ts";

/** Models with the names, inputs and outputs that Triton's example programs expect. */
export const models: Readonly<Record<string, Buffer>> = {
  simple: sumAndDifference("INT32"),
  simple_int8: sumAndDifference("INT8"),
  simple_string: sumAndDifference("BYTES"),
  simple_identity: identity("BYTES", ["batch", "width"]),
  simple_scalar: identity("FP32", []),
  simple_sequence: startMarking(),
  repeat_int32: repeating(),
  classes: classes(),
};

/** How models are served that need more than their file. */
export const settings: Readonly<Record<string, ServingSettings>> = {
  simple_sequence: {
    sequenceBatching: {
      states: [
        { inputName: "START", outputName: "NEXT", initialShape: [-1, 1], initialRaw: Buffer.from([1, 0, 0, 0]) },
      ],
    },
  },
  repeat_int32: {
    decoupled: { lastOutput: "LAST", maxResponses: 1000, feedbacks: [{ outputName: "REST", inputName: "IN" }] },
  },
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

/** `OUTPUT` = `INPUT`, and 1 more in the first request of a sequence, INT32 [batch, 1]. */
function startMarking(): Buffer {
  const graph = new GraphBuilder("start-marking");
  const start = graph.input("START", "INT32", ["batch", 1]);
  graph.output("OUTPUT", graph.add(graph.input("INPUT", "INT32", ["batch", 1]), start));
  graph.output("NEXT", graph.mul(start, graph.scalar(0, "INT32")));
  return Buffer.from(writeModel(modelOf(graph.graph())));
}

/** `OUT` = each of the elements of `IN`, INT32, one after the other; `DELAY` and `WAIT`, UINT32, are taken and change nothing. */
function repeating(): Buffer {
  const graph = new GraphBuilder("repeating");
  const all = graph.input("IN", "INT32", ["n"]);
  graph.input("DELAY", "UINT32", ["d"]);
  graph.input("WAIT", "UINT32", [1]);
  graph.output("OUT", graph.gather(all, graph.sizes([0])));
  graph.output("LAST", graph.equal(graph.size(all), graph.scalar(1, "INT64")));
  const model = readModel(writeModel(modelOf(graph.graph())));
  const { node = [], output = [], initializer = [] } = model.graph!;
  // The builder does not know this operator.
  const rest = { opType: "Slice", input: ["IN", "begin", "end"], output: ["REST"] };
  const bound = (name: string, bound: bigint) => {
    return { name, dims: [1], dataType: 7, rawData: Buffer.from(BigInt64Array.of(bound).buffer) };
  };
  const type = { tensorType: { elemType: 6, shape: { dim: [{ dimParam: "rest" }] } } };
  return Buffer.from(
    writeModel({
      ...model,
      graph: {
        ...model.graph,
        node: [...node, rest],
        initializer: [...initializer, bound("begin", 1n), bound("end", 2n ** 62n)],
        output: [...output, { name: "REST", type }],
      },
    }),
  );
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
