import type { ColumnChunk, ColumnSource, SourceColumn } from "../../services/trainer/datasets/columns/column-source.ts";

type Cell = number | string | undefined;

/** A file of columns in memory, read three rows at a time; numbers are missing where they are undefined. */
export function tableSource(columns: Readonly<Record<string, readonly Cell[]>>): ColumnSource {
  const isText = (name: string) => columns[name]!.some((cell) => typeof cell === "string");
  const rowCount = Object.values(columns)[0]!.length;
  return {
    rowCount,
    columns: Object.keys(columns).map(
      (name): SourceColumn => ({
        name,
        kind: isText(name) ? "text" : name === "when" ? "time" : "number",
        width: 1,
        type: isText(name) ? "VARCHAR" : "DOUBLE",
      }),
    ),
    async *read(names): AsyncIterable<ColumnChunk> {
      for (let first = 0; first < rowCount; first += 3) {
        const values = names.map((name) => {
          const cells = columns[name]!.slice(first, first + 3);
          return isText(name)
            ? (cells as (string | undefined)[])
            : Float64Array.from(cells, (cell) => (cell as number | undefined) ?? NaN);
        });
        yield { rowCount: Math.min(3, rowCount - first), values };
      }
    },
    placeOf: (row) => `line ${row + 2}`,
  };
}
