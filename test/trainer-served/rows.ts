import { elementCount, type Tensor, type TensorSpec } from "../../lib/tensor.ts";
import { numberReader } from "../../lib/tensor-numbers.ts";
import type { ColumnChunk, ColumnSource, SourceColumn } from "../../services/trainer/datasets/columns/column-source.ts";
import type { Answering } from "../../services/trainer/served/answering.ts";

/** Columns in memory, so many rows at a time. */
export function columnsOf(
  columns: Readonly<Record<string, readonly (number | string)[]>>,
  chunkRows = 3,
  width = 1,
): ColumnSource {
  const infos = Object.entries(columns).map(([name, values]): SourceColumn => {
    const isText = typeof values[0] === "string";
    return { name, kind: isText ? "text" : "number", width, type: isText ? "VARCHAR" : "DOUBLE" };
  });
  const rowCount = Object.values(columns)[0]!.length / width;
  return {
    columns: infos,
    rowCount,
    placeOf: (row) => `line ${row + 1}`,
    async *read(names): AsyncIterable<ColumnChunk> {
      for (let first = 0; first < rowCount; first += chunkRows) {
        const count = Math.min(chunkRows, rowCount - first);
        const values = names.map((name) => {
          const part = columns[name]!.slice(first * width, (first + count) * width);
          return typeof part[0] === "string" ? (part as string[]) : Float64Array.from(part as number[]);
        });
        yield { rowCount: count, values };
      }
    },
  };
}

/** A model that gives, of each row of its only input, what the function makes of its numbers. */
export function modelOf(
  inputs: readonly TensorSpec[],
  output: TensorSpec,
  of: (row: readonly number[]) => readonly number[],
): Answering & { readonly calls: (readonly Tensor[])[] } {
  const calls: (readonly Tensor[])[] = [];
  return {
    calls,
    signature: { inputs, outputs: [output] },
    answer: async (given) => {
      calls.push(given);
      const [input] = given;
      const [rows, ...shape] = input!.shape;
      const width = elementCount(shape);
      const read = numberReader(input!.dataType, input!.bytes);
      const answers = Array.from({ length: rows! }, (_, row) =>
        of(Array.from({ length: width }, (_, index) => Number(read(row * width + index)))),
      );
      const size = output.shape.slice(1).map(Number);
      const bytes = new Uint8Array(Float32Array.from(answers.flat()).buffer);
      return [{ name: output.name, dataType: "FP32", shape: [rows!, ...size], bytes }];
    },
  };
}
