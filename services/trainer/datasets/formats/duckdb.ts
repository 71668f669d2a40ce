import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { messageOf, ServiceError } from "../../../../lib/errors.ts";
import { datasetError } from "./dataset-error.ts";
import { DuckDBInstance } from "./duckdb-module.ts";
import type { DatasetFile } from "./file-format.ts";

/** A database in memory, for one file. */
export interface DatasetDatabase {
  readonly connection: DuckDBConnection;
  /** From now on nothing but this file and the database's own ones is read or written, and no setting can be changed. */
  seal(path: string): Promise<void>;
  close(): void;
}

/** Opens a database that takes no more memory and threads than the file's reader may, and that loads nothing. */
export async function openDatabase({ folder, memoryBytesMax, threadCount }: DatasetFile): Promise<DatasetDatabase> {
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: `${Math.floor(memoryBytesMax / 1024)}KiB`,
    threads: String(Math.max(1, Math.min(threadCount, Math.floor(memoryBytesMax / threadBytes)))),
    temp_directory: join(folder, "spilled"),
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    preserve_insertion_order: "true",
  });
  const connection = await instance.connect();
  return {
    connection,
    seal: async (path) => {
      await connection.run(`SET allowed_paths = [${sqlText(path)}]`);
      await connection.run("SET enable_external_access = false");
      await connection.run("SET lock_configuration = true");
    },
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Memory that a thread should have; each has buffers of its own. */
const threadBytes = 128 * 1024 ** 2;

/** A text as SQL has it. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The one number that a query answers. */
export async function numberOf(connection: DuckDBConnection, sql: string): Promise<number> {
  const reader = await connection.runAndReadAll(sql);
  return Number(reader.getRows()[0]?.[0]);
}

const memorySettings = "limits.memory_bytes and AMAAS_TRAINER_MEMORY_BYTES_MAX say how much a job may have";

/** What made a query over the file fail, as the caller is told it; faults of ours stay as they are. */
export function readFault(failure: unknown): ServiceError {
  if (failure instanceof ServiceError) return failure;
  const message = messageOf(failure);
  // Where the file lies on this machine is nobody's business.
  const lines = message.split("\n").filter((line) => !line.startsWith("Original Line"));
  const first = lines
    .slice(0, message.includes("CSV Error") ? 2 : 1)
    .join(": ")
    .replace(/["'`]\/[^"'`]*["'`]/g, "it");
  if (message.startsWith("Out of Memory Error")) {
    return new ServiceError(
      "OUT_OF_MEMORY",
      `dataset: reading the file takes more memory than there is: ${first}; ${memorySettings}`,
      {
        cause: failure,
      },
    );
  }
  if (/no space left|disk is full/i.test(message)) {
    return new ServiceError("DISK_FULL", "dataset: the disk is full; reading the file needs some times its size", {
      cause: failure,
    });
  }
  return datasetError(`the file cannot be read: ${first}`);
}
