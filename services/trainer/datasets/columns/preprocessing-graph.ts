import { int, ints } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import type { ServedInput, ServedWith } from "../../graph/inference-model.ts";
import type { Network, NetworkInput } from "../../graph/network.ts";
import type { PreparedData } from "../row-source.ts";
import { type FittedColumn, isPlain, type Preprocessing } from "./preprocessing.ts";

/** What a network is served with that was trained on prepared data. */
export function servedWith(
  { preprocessing, classNames, metadata }: Pick<PreparedData, "preprocessing" | "classNames" | "metadata">,
  { input }: Pick<Network, "input">,
): ServedWith {
  const inputs =
    preprocessing && ((graph: GraphBuilder, served: ServedInput) => rawInputs(graph, preprocessing, input, served));
  return { inputs, classNames, metadata };
}

/**
 * Appends the inputs of a served model, which take raw values, and what makes a network's input of them. Where all columns are numbers there
 * is one input with all their values, unless they are told to be by name; otherwise one for each column, by its name, [rows, width].
 *
 * A category that the training rows do not have is none of the categories: a batch has rows of several callers, and one of them must not
 * fail the others.
 */
function rawInputs(
  graph: GraphBuilder,
  { columns, isByName = false }: Preprocessing,
  network: NetworkInput,
  { name, dataType, rows }: ServedInput,
): Value {
  const { rowShape } = network;
  const isOneInput = !isByName && columns.every(({ kind }) => kind === "number");
  if (isOneInput && columns.every(({ encoder }) => encoder.kind === "affine")) {
    return affine(graph, graph.input(name, dataType, [rows, ...rowShape]), columns, rowShape);
  }
  const groups = grouped(columns);
  const raw = isOneInput ? slices(graph, name, dataType, rows, groups) : inputs(graph, dataType, rows, groups);
  const parts = groups.map((group, index) => encoded(graph, raw[index]!, group, network.dataType));
  const joined = parts.length === 1 ? parts[0]! : graph.concat(parts, 1);
  return rowShape.length === 1 ? joined : graph.reshape(joined, graph.sizes([-1, ...rowShape]));
}

/** Columns that are encoded together: affine ones that lie side by side, or one with categories. */
type Group = readonly FittedColumn[];

function grouped(columns: readonly FittedColumn[]): readonly Group[] {
  const groups: FittedColumn[][] = [];
  for (const column of columns) {
    const last = groups.at(-1);
    if (column.encoder.kind === "affine" && last?.at(-1)?.encoder.kind === "affine") last.push(column);
    else groups.push([column]);
  }
  return groups;
}

function widthOf(group: Group): number {
  return group.reduce((sum, { width }) => sum + width, 0);
}

function slices(
  graph: GraphBuilder,
  name: string,
  dataType: ServedInput["dataType"],
  rows: string,
  groups: readonly Group[],
): readonly Value[] {
  const input = graph.input(name, dataType, [rows, groups.reduce((sum, group) => sum + widthOf(group), 0)]);
  if (groups.length === 1) return [input];
  return graph.split(input, graph.sizes(groups.map(widthOf)), 1);
}

function inputs(
  graph: GraphBuilder,
  dataType: ServedInput["dataType"],
  rows: string,
  groups: readonly Group[],
): readonly Value[] {
  return groups.map((group) => {
    const columns = group.map(({ name, kind, width }) =>
      graph.input(name, kind === "text" ? "BYTES" : dataType, [rows, width]),
    );
    return columns.length === 1 ? columns[0]! : graph.concat(columns, 1);
  });
}

function encoded(graph: GraphBuilder, x: Value, group: Group, dataType: NetworkInput["dataType"]): Value {
  const [column] = group as readonly [FittedColumn];
  const { encoder } = column;
  if (encoder.kind === "affine") return affine(graph, x, group, [widthOf(group)]);
  const index = categoryIndex(graph, x, column);
  if (encoder.kind === "index") return graph.cast(index, dataType);
  const places = encoder.categories.map((_, place) => place);
  return graph.cast(graph.equal(index, graph.constant("INT64", [1, places.length], places)), dataType);
}

/** (x − offset) / scale, with what takes the place of a missing number; what changes nothing is left out. */
function affine(graph: GraphBuilder, x: Value, columns: readonly FittedColumn[], rowShape: readonly number[]): Value {
  if (columns.every(isPlain)) return x;
  const size = product(rowShape);
  const [offset, scale, fill] = [new Float32Array(size), new Float32Array(size), new Float32Array(size).fill(NaN)];
  let at = 0;
  for (const { encoder, width, fill: missing } of columns) {
    if (encoder.kind !== "affine") continue;
    offset.set(encoder.offset, at);
    scale.set(encoder.scale, at);
    if (missing !== undefined) fill.fill(missing as number, at, at + width);
    at += width;
  }
  const fixed = (name: string, elements: Float32Array) =>
    graph.initializer(`${fixedPrefix}${name}`, "FP32", rowShape, elements);
  const isFilled = fill.some((value) => !Number.isNaN(value));
  // A NaN is not equal to itself.
  const known = isFilled ? graph.where(graph.equal(x, x), x, fixed("fill", fill)) : x;
  const moved = offset.some((value) => value !== 0) ? graph.sub(known, fixed("offset", offset)) : known;
  return scale.some((value) => value !== 1) ? graph.div(moved, fixed("scale", scale)) : moved;
}

/** Of the names of tensors that no later training moves. */
const fixedPrefix = "preprocessing.";

/** The index of each value's category, INT64; their count for a value that has none. */
function categoryIndex(graph: GraphBuilder, x: Value, { kind, fill, encoder }: FittedColumn): Value {
  const { categories } = encoder as Exclude<FittedColumn["encoder"], { kind: "affine" }>;
  const indices = categories.map((_, index) => index);
  const isFilledNumber = kind === "number" && fill !== undefined;
  const known = isFilledNumber ? graph.where(graph.equal(x, x), x, graph.scalar(fill as number, x.dataType)) : x;
  // An empty text is a missing one.
  const missing = kind === "text" && fill !== undefined ? categories.indexOf(fill as never) : -1;
  const keys = missing < 0 ? categories : [...categories, ""];
  const values = missing < 0 ? indices : [...indices, missing];
  const attributes = {
    ...(kind === "text"
      ? { keys_strings: { kind: "strings", value: keys as readonly string[] } as const }
      : { keys_floats: { kind: "floats", value: keys as readonly number[] } as const }),
    values_int64s: ints(values),
    default_int64: int(categories.length),
  };
  const node = { name: "categories", operator: "LabelEncoder", inputs: [known], attributes, set: labelEncoderSet };
  return graph.append(node, [{ name: "category", dataType: "INT64", shape: known.shape }])[0]!;
}

const labelEncoderSet = { domain: "ai.onnx.ml", version: 2 };
