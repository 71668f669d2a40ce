import { datasetError } from "../formats/dataset-error.ts";
import type { ColumnSource } from "./column-source.ts";
import type { UsedColumns } from "./used-columns.ts";

/** Refuses features that are texts though nothing is said of them, with the first value that is no number. */
export async function checkTexts(source: ColumnSource, { features }: UsedColumns): Promise<void> {
  const column = features.find(({ kind, encoding }) => kind === "text" && encoding.kind === "number");
  if (column === undefined) return;
  let first = 0;
  for await (const { rowCount, values } of source.read([column.name])) {
    for (let row = 0; row < rowCount; row++) {
      const value = values[0]![row];
      if (value === undefined || Number.isFinite(Number(value))) continue;
      const place = `${await source.placeOf(first + row)}, column ${JSON.stringify(column.name)}`;
      const needed = "a number, a header that is told of, or an entry of data.columns for the column";
      throw datasetError(`${place} is ${JSON.stringify(String(value).slice(0, 64))}; needed: ${needed}`);
    }
    first += rowCount;
  }
  throw datasetError(`the column ${JSON.stringify(column.name)} holds texts; needed: an entry of data.columns for it`);
}
