import { checkColumnCount } from "./columns-max.ts";
import { datasetError } from "./dataset-error.ts";
import { numberOf, openDatabase, readFault } from "./duckdb.ts";
import type { DatasetFile } from "./file-format.ts";
import type { Relation, RelationColumn, ValueKind } from "./relation.ts";
import { createRowView, parquetSource } from "./row-view.ts";

/** A Parquet file, which DuckDB reads where it lies. */
export async function openParquet(file: DatasetFile): Promise<Relation> {
  const database = await openDatabase(file);
  const { connection, close } = database;
  try {
    const described = (
      await connection.runAndReadAll(`DESCRIBE SELECT * EXCLUDE file_row_number FROM ${parquetSource(file.path)}`)
    ).getRows();
    checkColumnCount(described.length);
    const columns = described.map(([name, type], index): RelationColumn => {
      return { name: String(name), sql: `c${index}`, type: String(type), kind: kindOf(String(type)) };
    });
    await createRowView(connection, file.path, columns);
    const rowCount = await numberOf(connection, "SELECT count(*) FROM rows");
    if (rowCount < 1) throw datasetError("the file has no rows; needed: at least 1");
    await database.seal(file.path);
    return { kind: "relation", connection, columns, rowCount, placeOf: async (row) => `row ${row + 1}`, close };
  } catch (failure) {
    close();
    throw readFault(failure);
  }
}

/** What values of a type of DuckDB are. */
function kindOf(type: string): ValueKind {
  if (numberTypes.test(type)) return "number";
  if (textTypes.test(type)) return "text";
  return timeTypes.test(type) ? "time" : "other";
}

const numberTypes = /^(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$/;
const textTypes = /^(VARCHAR|UUID|ENUM\([^[\]]*\))$/;
const timeTypes = /^(DATE|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE)$/;
