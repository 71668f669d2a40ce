import { createRequire } from "node:module";

/**
 * DuckDB. It is required as the CommonJS that it is: imported, each of its files would first be searched for the names that it
 * exports, which takes every job's process a quarter of a second.
 */
export const { DuckDBInstance } = createRequire(import.meta.url)(
  "@duckdb/node-api",
) as typeof import("@duckdb/node-api");
