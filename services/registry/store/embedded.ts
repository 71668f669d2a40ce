import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Dialect, SqliteDialect } from "kysely";
import Libsql from "libsql";
import { messageOf } from "../../../lib/errors.ts";
import type { Words } from "./migrations.ts";
import { Statements } from "./statements.ts";

/** How libsql says it. */
export const embeddedWords: Words = { text: "TEXT", integer: "INTEGER", end: " STRICT" };

/**
 * The embedded database in a folder. Every acknowledged commit is on disk (write-ahead log, synchronous FULL). The file is
 * locked for as long as it is open, and the system gives the lock back when the process dies.
 */
export class EmbeddedFile {
  readonly #file: Libsql.Database;

  private constructor(file: Libsql.Database) {
    this.#file = file;
  }

  /** Opens or makes the file; throws where another process has it open. */
  static open(folder: string): EmbeddedFile {
    mkdirSync(folder, { recursive: true });
    const file = new Libsql(join(folder, "catalogue.db"));
    try {
      for (const setting of settings) file.exec(`PRAGMA ${setting}`);
      file.exec("BEGIN EXCLUSIVE; COMMIT");
    } catch (cause) {
      file.close();
      if (!/lock|busy/i.test(messageOf(cause))) throw cause;
      throw new Error(`another registry uses ${folder}; stop it, or set another AMAAS_DATA_DIR`, { cause });
    }
    return new EmbeddedFile(file);
  }

  /** What Kysely talks to. Transactions run one after another. */
  dialect(): Dialect {
    return new SqliteDialect({ database: new Statements(this.#file) });
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
