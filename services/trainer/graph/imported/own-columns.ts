import type { Graph, Value } from "../../../../lib/onnx/graph.ts";
import { encodedWidth, type FittedColumn } from "../../datasets/columns/preprocessing.ts";
import { type Reading, readingOf, readingOfInput } from "./column-reading.ts";

/** Columns that a model has an input for each of, and all that it does to their values before its network is given them. */
export interface OwnColumns {
  readonly columns: readonly FittedColumn[];
  /** What they are joined to: rows of `width` numbers. */
  readonly joined: Value;
  readonly width: number;
  readonly dataType: "FP32" | "INT32";
  /** The type of the inputs that are numbers. */
  readonly numbers: "FP32" | "INT32" | "INT64";
  /** The name of the first axis of all. */
  readonly rows: string;
}

/** The columns of a model with such inputs, by what it does to them up to where they are joined; undefined where it does something else. */
export function ownColumns({ nodes }: Pick<Graph, "nodes">, inputs: readonly Value[]): OwnColumns | undefined {
  const readings = new Map<Value, Reading>();
  for (const input of inputs) {
    const reading = readingOfInput(input);
    if (reading === undefined) return;
    readings.set(input, reading);
  }
  const types = new Set(inputs.map(({ dataType }) => dataType).filter((dataType) => dataType !== "BYTES"));
  if (types.size > 1) return;
  const [numbers = "FP32"] = types as ReadonlySet<OwnColumns["numbers"]>;
  for (const node of nodes) {
    const reading = readingOf(node, readings);
    if (reading === undefined) continue;
    readings.set(node.outputs[0]!, reading);
    const { columns, stage, dataType } = reading;
    const names = new Set(columns.map(({ name }) => name));
    if (stage !== "numbers" || names.size < inputs.length || columns.length > inputs.length) continue;
    if (dataType !== "FP32" && dataType !== "INT32") return;
    const width = columns.reduce((sum, column) => sum + encodedWidth(column), 0);
    return { columns, joined: node.outputs[0]!, width, dataType, numbers, rows: String(inputs[0]!.shape[0]) };
  }
  return;
}
