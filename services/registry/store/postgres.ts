import { type Dialect, PostgresDialect, type PostgresPool, type PostgresPoolClient } from "kysely";
import pg from "pg";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Words } from "./migrations.ts";

/** How PostgreSQL says it. The collation makes it order texts as JavaScript and the embedded database do. */
export const postgresWords: Words = { text: 'TEXT COLLATE "C"', integer: "BIGINT", end: "" };

/** How to reach a PostgreSQL server. */
export interface PostgresConfig {
  /** "postgres://user:password@host:port/database". */
  readonly url: string;
  /** Connections of this process at the same time, besides the one that listens. */
  readonly connectionsMax: number;
  /** How long a connection, and how long a statement, may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Connections to a PostgreSQL server. A lost server is SERVICE_UNAVAILABLE, and is tried again with the next statement. */
export class PostgresServer {
  readonly config: PostgresConfig;
  readonly #pool: pg.Pool;

  constructor(config: PostgresConfig) {
    this.config = config;
    const { connectionsMax, timeoutMs } = config;
    this.#pool = new pg.Pool({ ...connectionOptions(config), max: connectionsMax, query_timeout: timeoutMs + 1000 });
    // A connection that is lost between two statements is no news: the next statement says so, or opens another one.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  dialect(): Dialect {
    return new PostgresDialect({ pool: this.#guardedPool() });
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  #guardedPool(): PostgresPool {
    return {
      connect: async () => guarded(await this.#pool.connect().catch(throwFault)),
      // Closed by `close`, once.
      end: async () => undefined,
    };
  }
}

/** A client of its own, not connected yet, for what holds a connection for long. */
export function postgresClient(config: PostgresConfig): pg.Client {
  return new pg.Client(connectionOptions(config));
}

function connectionOptions({ url, timeoutMs }: PostgresConfig): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: "amaas-registry",
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    lock_timeout: timeoutMs,
    idle_in_transaction_session_timeout: 2 * timeoutMs,
    keepAlive: true,
    types: { getTypeParser },
  };
}

/** 64-bit integers are numbers here: sizes, counts and times, all below 2^53. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: unknown) =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as "text");

function guarded(client: pg.PoolClient): PostgresPoolClient {
  let lost: Error | undefined;
  const query = async (text: string, parameters: readonly unknown[]) => {
    try {
      return await client.query(text, [...parameters]);
    } catch (failure) {
      const fault = faultOf(failure);
      if (fault instanceof ServiceError && fault.reason === "SERVICE_UNAVAILABLE") lost = fault;
      throw fault;
    }
  };
  // Cursors are for streaming queries, which nobody here uses.
  return { query: query as unknown as PostgresPoolClient["query"], release: () => client.release(lost) };
}

function throwFault(failure: unknown): never {
  throw faultOf(failure);
}

/** Where no server answers at the start, the setting is what its reader can act on. */
export function startFault({ url }: PostgresConfig, failure: unknown): unknown {
  if (!(failure instanceof ServiceError && failure.reason === "SERVICE_UNAVAILABLE")) return failure;
  const { host, pathname } = new URL(url);
  const message = `AMAAS_DATABASE_URL: the tables at ${host}${pathname} could not be opened: ${messageOf(failure.cause)}`;
  return new Error(message, { cause: failure.cause });
}

/** Whether another attempt of the same transaction may succeed: it met others (serialization failure, deadlock). */
export function isContention(failure: unknown): boolean {
  return ["40001", "40P01"].includes(codeOf(failure));
}

/**
 * Connection lost or refused, server starting, stopping or read-only for now, too many connections, no memory, statement or lock
 * time-out.
 */
const unavailableCode = /^(08|57P|53[234]00$|25006$|57014$|25P03$|55P03$|E[A-Z]+$)/;
const unavailableText = /connection terminated|connection error|timeout|not queryable/i;

function faultOf(failure: unknown): unknown {
  const code = codeOf(failure);
  if (code === "53100") {
    const message = "the database's disk has no room for the change; nothing was changed";
    return new ServiceError("DISK_FULL", message, { retryDelayMs: 60_000, cause: failure });
  }
  const isUnavailable = code === "" ? unavailableText.test(messageOf(failure)) : unavailableCode.test(code);
  if (!isUnavailable) return failure;
  return new ServiceError("SERVICE_UNAVAILABLE", "the registry's database does not answer", {
    retryDelayMs: 1000,
    cause: failure,
  });
}

function codeOf(failure: unknown): string {
  const { code } = failure as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}
