import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { ModelProto } from "../../../lib/onnx/model.ts";
import { pruned } from "../../../lib/onnx/pruned.ts";
import type { Network, Served } from "./network.ts";

/** The input that a network is served with. */
export type ServedInput = Served["input"] & { readonly rows: string };

/** What a trained network is served with besides its tensors. */
export interface ServedWith {
  /** Appends the model's inputs and gives the network's, in the place of one input that is the network's own. */
  readonly inputs?: ((graph: GraphBuilder, served: ServedInput) => Value) | undefined;
  /** The names of classes, by index. */
  readonly classNames?: readonly string[] | undefined;
  /** What the model says of itself besides what its network does, by name. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * The trained network as it is served: `input` [batch, ...row] to `output` FP32 [batch, ...row], or as the network says, the weights
 * inside, under the names of the network's parameters and statistics.
 *
 * `tensors` holds the elements of each of them by name; the model aliases them.
 */
export function inferenceModel(
  network: Network,
  tensors: ReadonlyMap<string, Float32Array>,
  { inputs, classNames, metadata }: ServedWith = {},
): ModelProto {
  const graph = new GraphBuilder("network");
  const { dataType, rowShape } = network.input;
  const byDefault: Served = { input: { name: "input", dataType }, outputName: "output", rows: "batch", notes: {} };
  const served = network.served ?? byDefault;
  const given = { ...served.input, rows: served.rows };
  const input = inputs?.(graph, given) ?? graph.input(given.name, given.dataType, [given.rows, ...rowShape]);
  const held = [...network.parameters, ...network.statistics].map(
    ({ name, shape }) => [name, graph.initializer(name, "FP32", shape, tensors.get(name) as Float32Array)] as const,
  );
  graph.output(served.outputName, network.append(graph, input, new Map(held), { kind: "inference" }).output);
  const { notes } = served;
  const told = { ...served, notes: { ...notes, metadata: { ...notes.metadata, ...metadata } } };
  return modelOf(pruned(graph.graph()), withLabels(told, classNames));
}

/** What readers of labels look for first is that of the output. */
function withLabels({ notes, outputName }: Served, classNames: ServedWith["classNames"]): Served["notes"] {
  if (classNames === undefined) return notes;
  const key = Object.hasOwn(notes.metadata ?? {}, `labels:${outputName}`) ? `labels:${outputName}` : "labels";
  return { ...notes, metadata: { ...notes.metadata, [key]: JSON.stringify(classNames) } };
}
