import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Shape } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import type { DataType } from "../../lib/tensor.ts";
import type { HeldModel } from "../inference/running-node.ts";

/** An input or an output of a model that is fuzzed. */
export interface FuzzedInput {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: Shape;
}

/** A model that gives each of its inputs back as `out_…`. */
export interface FuzzedModel {
  readonly name: string;
  readonly inputs: readonly FuzzedInput[];
  readonly isBatched: boolean;
}

const everyType = [
  ...(["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"] as const),
  ...(["FP16", "FP32", "FP64", "BYTES"] as const),
];

/** What the requests of the fuzzer are about. */
export const fuzzedModels: readonly FuzzedModel[] = [
  { name: "single", inputs: [{ name: "x", dataType: "FP32", shape: ["n", 2] }], isBatched: false },
  { name: "joined", inputs: [{ name: "x", dataType: "FP32", shape: ["n", 2] }], isBatched: true },
  { name: "texts", inputs: [{ name: "x", dataType: "BYTES", shape: ["n", "m"] }], isBatched: true },
  { name: "scalar", inputs: [{ name: "x", dataType: "FP64", shape: [] }], isBatched: false },
  {
    name: "pair",
    inputs: [
      { name: "a", dataType: "INT64", shape: ["n", 2] },
      { name: "b", dataType: "UINT8", shape: ["n", "m", "k"] },
    ],
    isBatched: true,
  },
  {
    name: "every-type",
    inputs: everyType.map((dataType) => ({ name: `x_${dataType}`, dataType, shape: [2] })),
    isBatched: false,
  },
];

/** The same for a node. */
export function heldModels(): HeldModel[] {
  return fuzzedModels.map(({ name, inputs, isBatched }) => {
    const graph = new GraphBuilder(name);
    for (const input of inputs) graph.output(`out_${input.name}`, graph.input(input.name, input.dataType, input.shape));
    const file = writeModel(modelOf(graph.graph()));
    return { name, file, ...(isBatched && { settings: { dynamicBatching: { maxBatchSize: 16, priorityLevels: 2 } } }) };
  });
}
