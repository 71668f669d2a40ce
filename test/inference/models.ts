import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Shape } from "../../lib/onnx/graph.ts";
import { readModel, writeModel } from "../../lib/onnx/model.ts";
import { Random } from "../../lib/random.ts";
import type { DataType } from "../../lib/tensor.ts";

/** Gives its input `x` back as `y`. */
export function identityModel(dataType: DataType, shape: Shape): Uint8Array {
  const graph = new GraphBuilder("identity");
  graph.output("y", graph.input("x", dataType, shape));
  return writeModel(modelOf(graph.graph()));
}

/** `y` = `x` + `addend`, FP32 [n, 2]. */
export function addingModel(addend: number): Uint8Array {
  const graph = new GraphBuilder("adding");
  const sum = graph.add(graph.input("x", "FP32", ["n", 2]), graph.scalar(addend, "FP32"));
  graph.output("y", sum);
  return writeModel(modelOf(graph.graph()));
}

/** `SUM` = `A` + `B` and `DIFFERENCE` = `A` - `B`, INT64 [n, 2]. */
export function sumAndDifferenceModel(): Uint8Array {
  const graph = new GraphBuilder("sum-and-difference");
  const a = graph.input("A", "INT64", ["n", 2]);
  const b = graph.input("B", "INT64", ["n", 2]);
  graph.output("SUM", graph.add(a, b));
  graph.output("DIFFERENCE", graph.sub(a, b));
  return writeModel(modelOf(graph.graph()));
}

/** A network with two layers and seeded weights, FP32 [batch, 64] to [batch, 10]. */
export function networkModel(seed: number): Uint8Array {
  const graph = new GraphBuilder("network");
  const random = new Random(seed, "weights");
  const weights = (count: number) => Float32Array.from({ length: count }, () => random.uniform() - 0.5);
  const x = graph.input("x", "FP32", ["batch", 64]);
  const hidden = graph.tanh(graph.gemm(x, graph.initializer("w1", "FP32", [64, 96], weights(64 * 96))));
  graph.output("y", graph.softmax(graph.gemm(hidden, graph.initializer("w2", "FP32", [96, 10], weights(960)))));
  return writeModel(modelOf(graph.graph()));
}

/** An input `x_…` and an output `y_…` of every data type, each given back as it came. */
export function everyTypeModel(dataTypes: readonly DataType[], shape: Shape): Uint8Array {
  const graph = new GraphBuilder("every-type");
  for (const dataType of dataTypes) graph.output(`y_${dataType}`, graph.input(`x_${dataType}`, dataType, shape));
  return writeModel(modelOf(graph.graph()));
}

/** `y` = as many ones as `x`, INT64 [1], says. */
export function expandingModel(): Uint8Array {
  const graph = new GraphBuilder("expanding");
  const count = { ...graph.input("x", "INT64", [1]), sizes: ["n"] };
  graph.output("y", graph.expand(graph.scalar(1, "FP32"), count));
  return writeModel(modelOf(graph.graph()));
}

/** `y` = the rows of a table of 3 that `x`, INT64 [n], names. */
export function lookupModel(): Uint8Array {
  const graph = new GraphBuilder("lookup");
  const table = graph.initializer("table", "FP32", [3], Float32Array.of(10, 20, 30));
  graph.output("y", graph.gather(table, graph.input("x", "INT64", ["n"])));
  return writeModel(modelOf(graph.graph()));
}

/** `y` = `x` + `w` and `z` = `w`, FP32 [n, 2] and [2]; `w` has a default. */
export function defaultingModel(defaults: readonly [number, number]): Uint8Array {
  const graph = new GraphBuilder("defaulting");
  const w = graph.initializer("w", "FP32", [2], Float32Array.from(defaults));
  graph.output("y", graph.add(graph.input("x", "FP32", ["n", 2]), w));
  graph.output("z", w);
  const model = modelOf(graph.graph());
  const { input = [] } = model.graph!;
  const type = { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2 }] } } };
  return writeModel({ ...model, graph: { ...model.graph, input: [...input, { name: "w", type }] } });
}

/** Two nodes, each of which needs what the other gives: no order runs them. */
export function cyclicModel(): Uint8Array {
  const model = readModel(addingModel(1));
  const [output] = model.graph!.output!;
  const node = [
    { opType: "Add", input: ["x", "there"], output: ["back"] },
    { opType: "Add", input: ["x", "back"], output: ["there"] },
    { opType: "Identity", input: ["back"], output: [output.name!] },
  ];
  return writeModel({ ...model, graph: { ...model.graph, initializer: [], node } });
}

/** Where an initializer is kept. */
export interface Place {
  readonly location: string;
  readonly offset?: number;
}

/** The same model with some of its initializers in other files, and these. */
export function withExternalData(bytes: Uint8Array, places: Readonly<Record<string, Place>>) {
  const model = readModel(bytes);
  const files = new Map<string, Buffer>();
  const initializer = model.graph!.initializer!.map(({ rawData, ...tensor }) => {
    const place = places[tensor.name!];
    if (place === undefined) return { rawData, ...tensor };
    const { location, offset } = place;
    const before = Buffer.concat([files.get(location) ?? Buffer.alloc(0), Buffer.alloc(offset ?? 0)]);
    files.set(location, Buffer.concat([before.subarray(0, offset ?? 0), rawData!]));
    const entries = { location, ...(offset !== undefined && { offset, length: rawData!.length }) };
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value: String(value) }));
    return { ...tensor, dataLocation: 1, externalData };
  });
  return { model: writeModel({ ...model, graph: { ...model.graph, initializer } }), files };
}

/** `y` = tanh(`x`) · 0.1, FP32 [n, 4], the product in 64 bits, which WebGPU does not have. */
export function partlyDoubleModel(): Uint8Array {
  const graph = new GraphBuilder("partly-double");
  const wide = graph.cast(graph.tanh(graph.input("x", "FP32", ["n", 4])), "FP64");
  graph.output("y", graph.cast(graph.mul(wide, graph.scalar(0.1, "FP64")), "FP32"));
  return writeModel(modelOf(graph.graph()));
}
