import type { DuckDBDoubleVector, DuckDBVarCharVector, DuckDBVector } from "@duckdb/node-api";
import type { Relation, RelationColumn } from "../formats/relation.ts";
import type { ColumnChunk, ColumnSource, ColumnValues, SourceColumn } from "./column-source.ts";

/** The columns of a relation. */
export class RelationSource implements ColumnSource {
  readonly columns: readonly SourceColumn[];
  readonly rowCount: number;
  readonly #relation: Relation;

  constructor(relation: Relation) {
    this.#relation = relation;
    this.rowCount = relation.rowCount;
    this.columns = relation.columns.map(({ name, kind, type, isDecimal }) => ({
      name,
      kind,
      type,
      isDecimal,
      width: 1,
    }));
  }

  async *read(names: readonly string[], exact: readonly string[] = []): AsyncIterable<ColumnChunk> {
    const { connection, columns } = this.#relation;
    const columnOf = (name: string) => columns.find((column) => column.name === name)!;
    const read: readonly ReadColumn[] = [
      ...names.map(columnOf),
      ...exact.map((name) => ({ sql: columnOf(name).sql, kind: "exact" as const })),
    ];
    const result = await connection.stream(`SELECT ${read.map(expressionOf).join(", ")} FROM rows`);
    // DuckDB reads the next rows in a thread of its own while these are made use of.
    let next = result.fetchChunk();
    try {
      for (let chunk = await next; chunk !== null && chunk.rowCount > 0; chunk = await next) {
        next = result.fetchChunk();
        const { rowCount } = chunk;
        yield {
          rowCount,
          values: read.map(({ kind }, index) => valuesOf(chunk!.getColumnVector(index), kind, rowCount)),
        };
      }
    } finally {
      // What nobody asks for any more must have ended before the database is closed, and its failure is nobody's.
      await next.catch(() => undefined);
    }
  }

  placeOf(row: number): Promise<string> {
    return this.#relation.placeOf(row);
  }
}

interface ReadColumn {
  readonly sql: string;
  readonly kind: RelationColumn["kind"] | "exact";
}

function valuesOf(vector: DuckDBVector, kind: ReadColumn["kind"], rowCount: number): ColumnValues {
  if (kind === "text" || kind === "exact") {
    const texts = vector as DuckDBVarCharVector;
    return Array.from({ length: rowCount }, (_, row) => texts.getItem(row) ?? undefined);
  }
  const numbers = new Float64Array(rowCount);
  for (let row = 0; row < rowCount; row++) numbers[row] = (vector as DuckDBDoubleVector).getItem(row)!;
  return numbers;
}

/** A missing value is NaN or the empty text, so that no vector has gaps; an exact one stays missing. */
function expressionOf({ sql, kind }: ReadColumn): string {
  switch (kind) {
    case "exact":
      return `CAST(${sql} AS VARCHAR)`;
    case "number":
      return `coalesce(CAST(${sql} AS DOUBLE), 'NaN'::DOUBLE)`;
    case "time":
      return `coalesce(CAST(epoch_us(${sql}) AS DOUBLE), 'NaN'::DOUBLE)`;
    default:
      return `coalesce(CAST(${sql} AS VARCHAR), '')`;
  }
}
