import type { DuckDBConnection, Json } from "@duckdb/node-api";
import { readFault } from "../formats/duckdb.ts";
import type { Relation, RelationColumn } from "../formats/relation.ts";
import {
  type ColumnFacts,
  countedMax,
  type DatasetFacts,
  mostFrequentMax,
  previewRowCount,
  shown,
} from "./dataset-facts.ts";

/** What the columns of a relation have. Throws as queries do, see {@link readFault}. */
export async function relationFacts(relation: Relation, previewRows: number): Promise<Omit<DatasetFacts, "format">> {
  const { columns, rowCount } = relation;
  try {
    const facts: ColumnFacts[] = [];
    for (let first = 0; first < columns.length; first += columnsPerQuery) {
      facts.push(...(await factsOf(relation, columns.slice(first, first + columnsPerQuery))));
    }
    return {
      rowCount,
      columns: facts,
      preview: await previewOf(relation, previewRowCount(previewRows, columns.length)),
    };
  } catch (failure) {
    throw readFault(failure);
  }
}

const columnsPerQuery = 64;

async function factsOf({ connection }: Relation, columns: readonly RelationColumn[]): Promise<ColumnFacts[]> {
  const summaries = columns.map(summaryOf).join(", ");
  const [row] = (await connection.runAndReadAll(`SELECT ${summaries} FROM rows`)).getRowsJson();
  const facts: ColumnFacts[] = [];
  for (const [index, column] of columns.entries()) {
    const summary = row!.slice(index * summaryWidth, (index + 1) * summaryWidth);
    const [missing = 0, distinct = 0, min, max, mean, deviation] = summary.map(numberOf);
    // An estimate is off by a few percent.
    const counts = distinct <= countedMax * 1.1 ? await countsOf(connection, column) : undefined;
    facts.push({
      name: column.name,
      type: column.type,
      missingCount: missing,
      distinctCount: counts?.distinctCount ?? distinct,
      ...{ min, max, mean, deviation },
      mostFrequent: counts?.mostFrequent ?? [],
    });
  }
  return facts;
}

const summaryWidth = 6;

/** Infinite numbers have no mean, and are left out of all that has to do with it. */
function summaryOf(column: RelationColumn): string {
  const value = present(column);
  const moments = ["min", "max", "avg", "stddev_pop"].map((name) =>
    column.kind === "number" ? `${name}(${value}) FILTER (WHERE isfinite(${value}))` : "NULL",
  );
  return [`count(*) - count(${value})`, `approx_count_distinct(${value})`, ...moments].join(", ");
}

/** NULL for what counts as missing. */
function present({ sql, kind }: RelationColumn): string {
  return kind === "number" ? `nullif(CAST(${sql} AS DOUBLE), 'NaN'::DOUBLE)` : `nullif(CAST(${sql} AS VARCHAR), '')`;
}

function numberOf(value: Json): number | undefined {
  return value === null ? undefined : Number(value);
}

async function countsOf(connection: DuckDBConnection, column: RelationColumn) {
  const groups = `SELECT ${present(column)} AS value, count(*) AS rows_of FROM rows GROUP BY value HAVING value IS NOT NULL`;
  const query = `SELECT CAST(value AS VARCHAR), rows_of, count(*) OVER () FROM (${groups}) ORDER BY rows_of DESC, value LIMIT ${mostFrequentMax}`;
  const rows = (await connection.runAndReadAll(query)).getRowsJson();
  return {
    distinctCount: Number(rows[0]?.[2] ?? 0),
    mostFrequent: rows.map(([value, count]) => ({ value: shown(String(value)), count: Number(count) })),
  };
}

async function previewOf({ connection, columns }: Relation, rowCount: number): Promise<DatasetFacts["preview"]> {
  const values = columns.map(({ sql }) => `coalesce(CAST(${sql} AS VARCHAR), '')`);
  const query = `SELECT ${values.join(", ")} FROM rows LIMIT ${rowCount}`;
  const rows = (await connection.runAndReadAll(query)).getRowsJson();
  return rows.map((row) => ({ values: row.map((value) => shown(String(value))) }));
}
