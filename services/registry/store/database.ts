import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Kysely, SqliteDialect } from "kysely";
import Libsql from "libsql";
import { messageOf } from "../../../lib/errors.ts";
import { migrations } from "./migrations.ts";
import type { Schema } from "./schema.ts";
import { Statements } from "./statements.ts";

/**
 * The embedded database in a folder. Every acknowledged commit is on disk (write-ahead log, synchronous FULL). The file is
 * locked for as long as it is open, and the system gives the lock back when the process dies.
 */
export class Database {
  readonly #file: Libsql.Database;
  /** Queries. Transactions run one after another. */
  readonly query: Kysely<Schema>;

  private constructor(file: Libsql.Database) {
    this.#file = file;
    this.query = new Kysely({ dialect: new SqliteDialect({ database: new Statements(file) }) });
  }

  /** Opens or makes the database and brings its tables up to date; throws where another process has it open. */
  static open(folder: string): Database {
    mkdirSync(folder, { recursive: true });
    const file = new Libsql(join(folder, "catalogue.db"));
    try {
      for (const setting of settings) file.exec(`PRAGMA ${setting}`);
      file.exec("BEGIN EXCLUSIVE; COMMIT");
      migrate(file);
    } catch (cause) {
      file.close();
      if (!/lock|busy/i.test(messageOf(cause))) throw cause;
      throw new Error(`another registry uses ${folder}; stop it, or set another AMAAS_DATA_DIR`, { cause });
    }
    return new Database(file);
  }

  /** Leaves one file, without a log. */
  close(): void {
    try {
      // Statements that await garbage collection keep the connection, so the lock is given back first. It can be only
      // outside of write-ahead mode, which it was taken in.
      this.#file.exec("PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; SELECT 1 FROM sqlite_schema");
    } finally {
      this.#file.close();
    }
  }
}

const settings = ["locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"];

function migrate(file: Libsql.Database): void {
  const { user_version: done } = file.prepare("PRAGMA user_version").get() as { user_version: number };
  if (done > migrations.length) {
    throw new Error(`the catalogue has format ${done}, this release knows ${migrations.length}; use a newer release`);
  }
  for (let step = done; step < migrations.length; step++) {
    file.exec(["BEGIN", ...migrations[step], `PRAGMA user_version = ${step + 1}`, "COMMIT"].join(";\n"));
  }
}
