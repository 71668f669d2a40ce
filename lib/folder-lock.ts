import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";

/** Another process works on the folder. */
export class FolderTaken extends Error {
  override readonly name = "FolderTaken";
}

/** Which folder is locked, and for whom. */
export interface FolderLockOptions {
  /** It is made where it is missing. */
  readonly folder: string;
  /** What holds it, such as "supervisor"; the file in the folder that tells its process id is named after it. */
  readonly holder: string;
  /** What to do so that one who finds it taken works somewhere else. */
  readonly wayOut: string;
}

/**
 * The right to work on a folder, held by one process at a time.
 *
 * It is an exclusive transaction on an empty database file: the operating system releases it when the process ends, however
 * it ends. The file stays: removing it would let two processes lock two files of the same name. The file with the process id only
 * tells others whom to look for.
 */
export class FolderLock {
  readonly #options: FolderLockOptions;
  #database: Database.Database | null = null;

  constructor(options: FolderLockOptions) {
    this.#options = options;
  }

  /** Throws {@link FolderTaken} at once where another process holds it. */
  acquire(): void {
    const { folder, wayOut } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const database = new Database(join(folder, "lock.db"));
    try {
      database.exec("BEGIN EXCLUSIVE");
    } catch (failure) {
      database.close();
      if (!isBusy(failure)) throw failure;
      throw new FolderTaken(`${folder} is in use by ${this.#present()}: stop it, or ${wayOut}`);
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
    const { folder, holder } = this.#options;
    return join(folder, `${holder}.pid`);
  }

  #present(): string {
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
