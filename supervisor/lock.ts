import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";

/** Somebody else works on the data directory. */
export class DataDirectoryTaken extends Error {
  override readonly name = "DataDirectoryTaken";
}

/**
 * The right to run on a data directory, held by one process at a time.
 *
 * It is an exclusive transaction on an empty database file: the operating system releases it when the process ends, however
 * it ends. The file stays: removing it would let two processes lock two files of the same name. `supervisor.pid` only
 * tells others whom to look for.
 */
export class DataDirectoryLock {
  readonly #folder: string;
  #database: Database.Database | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Throws {@link DataDirectoryTaken} at once where another process holds it. */
  acquire(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const database = new Database(join(this.#folder, "lock.db"));
    try {
      database.exec("BEGIN EXCLUSIVE");
    } catch (failure) {
      database.close();
      if (!isBusy(failure)) throw failure;
      throw new DataDirectoryTaken(
        `${this.#folder} is in use by ${this.#holder()}: stop it, or set AMAAS_DATA_DIR to another folder`,
      );
    }
    this.#database = database;
    writeFileSync(this.#pidFile, `${process.pid}\n`);
  }

  /** May be called again, and without having acquired. */
  release(): void {
    if (this.#database === null) return;
    rmSync(this.#pidFile, { force: true });
    this.#database.close();
    this.#database = null;
  }

  get #pidFile(): string {
    return join(this.#folder, "supervisor.pid");
  }

  #holder(): string {
    try {
      return `process ${readFileSync(this.#pidFile, "utf8").trim()}`;
    } catch {
      return "another process";
    }
  }
}

function isBusy(failure: unknown): boolean {
  return failure instanceof Error && "code" in failure && failure.code === "SQLITE_BUSY";
}
