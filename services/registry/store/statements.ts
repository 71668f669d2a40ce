import type { SqliteDatabase, SqliteStatement } from "kysely";
import type Libsql from "libsql";
import { ServiceError } from "../../../lib/errors.ts";

/** Prepared statements are kept, the newest so many; the queries of this room are far fewer. */
const statementsMax = 500;

/** A database file as Kysely wants it: statements are prepared once, and a full disk is a fault that callers understand. */
export class Statements implements SqliteDatabase {
  readonly #file: Libsql.Database;
  readonly #byText = new Map<string, SqliteStatement>();

  constructor(file: Libsql.Database) {
    this.#file = file;
  }

  prepare(text: string): SqliteStatement {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const statement = this.#prepared(text);
    this.#byText.set(text, statement);
    if (this.#byText.size > statementsMax) this.#byText.delete(this.#byText.keys().next().value!);
    return statement;
  }

  close(): void {
    this.#byText.clear();
  }

  #prepared(text: string): SqliteStatement {
    const statement = this.#file.prepare(text) as unknown as SqliteStatement;
    const reader = statement.reader;
    const attempt = <Answer>(run: () => Answer): Answer => {
      try {
        return run();
      } catch (failure) {
        // It may have stopped halfway; the next call begins with a new one.
        this.#byText.delete(text);
        throw faultOf(failure);
      }
    };
    // A commit that fails may have ended the transaction already; there is nothing to undo then.
    const isVoid = () => text === "rollback" && !this.#file.inTransaction;
    return {
      reader,
      all: (parameters) => attempt(() => statement.all(parameters)),
      run: (parameters) => (isVoid() ? { changes: 0, lastInsertRowid: 0 } : attempt(() => statement.run(parameters))),
      iterate: (parameters) => statement.iterate(parameters),
    };
  }
}

function faultOf(failure: unknown): unknown {
  const { code } = failure as { readonly code?: string };
  if (code !== "SQLITE_FULL") return failure;
  const message = "the registry's disk has no room for the change; nothing was changed";
  return new ServiceError("DISK_FULL", message, { retryDelayMs: 60_000, cause: failure });
}
