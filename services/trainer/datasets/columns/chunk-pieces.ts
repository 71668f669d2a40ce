import type { ColumnChunk } from "./column-source.ts";

/** A chunk in parts of at most `rowsMax` rows. */
export function* chunkPieces(chunk: ColumnChunk, widths: readonly number[], rowsMax: number): Generator<ColumnChunk> {
  if (chunk.rowCount <= rowsMax) return yield chunk;
  for (let first = 0; first < chunk.rowCount; first += rowsMax) {
    const end = Math.min(first + rowsMax, chunk.rowCount);
    const values = chunk.values.map((column, index) => {
      const [begin, until] = [first * widths[index]!, end * widths[index]!];
      return ArrayBuffer.isView(column) ? column.subarray(begin, until) : column.slice(begin, until);
    });
    yield { rowCount: end - first, values };
  }
}
