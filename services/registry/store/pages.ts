import { type RawBuilder, sql } from "kysely";

/** A part of a list, in the list's order. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Whether more follows. */
  readonly isMore: boolean;
}

/** How much room something takes on a page. */
export interface Sized {
  readonly bytes: number;
}

/**
 * Reads as many rows as a page has room for, at most `count`, at least one. Both reads are of the same list, from its beginning,
 * as of the same moment; the first one has the sizes only, so that no more is in memory than the page.
 */
export async function readPage<Row>(
  count: number,
  sizes: (count: number) => Promise<readonly Sized[]>,
  rows: (count: number) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  const found = await sizes(count + 1);
  const { length } = fitting(found, count);
  return { rows: length === 0 ? [] : await rows(length), isMore: length < found.length };
}

/** As many of the first ones as a page has room for, at most `count`, at least one. */
export function fitting<Entry extends Sized>(entries: readonly Entry[], count: number): readonly Entry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, index) => {
    bytes += entry.bytes;
    return index === count || (index > 0 && bytes > pageBytesMax);
  });
  return end === -1 ? entries : entries.slice(0, end);
}

/** What some texts of a row take, in bytes, and the rest of it. A column without a text takes nothing. */
export function bytesOf(columns: readonly string[], restBytes: number): RawBuilder<number> {
  const sizes = columns.map((column) => sql`coalesce(octet_length(${sql.ref(column)}), 0)`);
  return sql`(${sql.join(sizes, sql` + `)} + ${sql.lit(restBytes)})`;
}

/** Largest page, unless a single entry is larger: clients of gRPC take messages of 4 MiB where they are not told otherwise. */
const pageBytesMax = 2 * 1024 ** 2;
