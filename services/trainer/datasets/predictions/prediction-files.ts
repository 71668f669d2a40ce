import type { DuckDBAppender, DuckDBConnection } from "@duckdb/node-api";
import { datasetError } from "../formats/dataset-error.ts";
import { readFault, sqlText } from "../formats/duckdb.ts";
import { DuckDBInstance } from "../formats/duckdb-module.ts";
import type { OutputColumn } from "./output-column.ts";

/** Formats of a file of predictions. */
export type PredictionFormat = "csv" | "parquet";

/** Writes predictions to files. */
export class PredictionFiles {
  readonly #instance: { closeSync(): void };
  readonly #connection: DuckDBConnection;

  private constructor(instance: { closeSync(): void }, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(memoryBytesMax: number): Promise<PredictionFiles> {
    const instance = await DuckDBInstance.create(":memory:", {
      memory_limit: `${Math.floor(memoryBytesMax / 1024)}KiB`,
      threads: "1",
      preserve_insertion_order: "true",
    });
    return new PredictionFiles(instance, await instance.connect());
  }

  /** Writes some rows to a Parquet file. Throws DATASET_INVALID where two columns have the same name, and DISK_FULL. */
  async write(path: string, columns: readonly OutputColumn[]): Promise<void> {
    const names = columns.map(({ name }) => name.toLowerCase());
    const double = names.find((name, index) => names.indexOf(name) !== index);
    if (double !== undefined) {
      throw datasetError(
        `two columns of the predictions are named ${JSON.stringify(double)}; needed: another name in the file, or the role of a feature`,
      );
    }
    const definitions = columns.map(({ name, type }) => `${sqlName(name)} ${type}`);
    await this.#run(`CREATE OR REPLACE TABLE part (${definitions.join(", ")})`);
    const appender = await this.#connection.createAppender("part");
    for (let row = 0; row < columns[0]!.values.length; row++) {
      for (const { type, values } of columns) {
        const value = values[row] ?? null;
        if (value === null) appender.appendNull();
        else append[type](appender, value);
      }
      appender.endRow();
    }
    appender.closeSync();
    const selected = columns.map(({ name, castTo }) => {
      return castTo === undefined ? sqlName(name) : `CAST(${sqlName(name)} AS ${castTo}) AS ${sqlName(name)}`;
    });
    await this.#run(`COPY (SELECT ${selected.join(", ")} FROM part) TO ${sqlText(path)} (FORMAT parquet)`);
    await this.#run("DROP TABLE part");
  }

  /** Joins Parquet files, in their order, to one file of a format. */
  async join(parts: readonly string[], path: string, format: PredictionFormat): Promise<void> {
    const from = `read_parquet([${parts.map(sqlText).join(", ")}])`;
    const settings = format === "csv" ? "FORMAT csv, HEADER true" : "FORMAT parquet, COMPRESSION zstd";
    await this.#run(`COPY (SELECT * FROM ${from}) TO ${sqlText(path)} (${settings})`);
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async #run(sql: string): Promise<void> {
    await this.#connection.run(sql).catch((failure) => Promise.reject(readFault(failure)));
  }
}

type Value = NonNullable<OutputColumn["values"][number]>;

const append = {
  BIGINT: (to, value) => to.appendBigInt(BigInt(value)),
  UBIGINT: (to, value) => to.appendUBigInt(BigInt(value)),
  BOOLEAN: (to, value) => to.appendBoolean(Boolean(value)),
  FLOAT: (to, value) => to.appendFloat(Number(value)),
  DOUBLE: (to, value) => to.appendDouble(Number(value)),
  VARCHAR: (to, value) => to.appendVarchar(String(value)),
} as const satisfies Record<OutputColumn["type"], (to: DuckDBAppender, value: Value) => void>;

/** A name as SQL has it. */
function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
