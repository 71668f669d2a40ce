import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { Random } from "../../lib/random.ts";

/** Numbers in rows. */
export interface Numbers {
  readonly rows: number;
  readonly columns: number;
}

/** A CSV file of random numbers; the last columns may be targets. */
export async function writeCsv(path: string, { rows, columns }: Numbers): Promise<void> {
  const random = new Random(1);
  const file = createWriteStream(path);
  for (let row = 0; row < rows; row++) {
    const line = Array.from({ length: columns }, () => random.uniform().toFixed(4)).join(",");
    if (!file.write(`${line}\n`)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}

/** A Parquet file of random numbers in columns c0, c1, …; Parquet in groups of 122,880 rows, as DuckDB writes it. */
export async function writeParquet(path: string, { rows, columns }: Numbers): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const names = Array.from({ length: columns }, (_, index) => `random()::FLOAT AS c${index}`).join(", ");
  await connection.run(
    `COPY (SELECT ${names} FROM range(${rows})) TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
}

const chunkBytes = 4 * 2 ** 20;

/** A NumPy matrix of random numbers from 0 to 255, a byte each: a quarter of what its rows take in memory. */
export async function writeNpy(path: string, { rows, columns }: Numbers): Promise<void> {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`.padEnd(117);
  const file = createWriteStream(path);
  file.write(Buffer.concat([Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, 118, 0]), Buffer.from(`${header}\n`)]));
  for (let left = rows * columns; left > 0; left -= chunkBytes) {
    const numbers = randomFillSync(Buffer.alloc(Math.min(left, chunkBytes)));
    if (!file.write(numbers)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}
