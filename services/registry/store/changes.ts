import { setImmediate } from "node:timers/promises";
import type { Database } from "./database.ts";
import { fitting, type Sized } from "./pages.ts";
import type { ChangeRow, ResourceKind } from "./schema.ts";

/** Which changes; what is given must all match. */
export interface ChangeFilters {
  /** Of this resource, for a model also of all that belongs to it; empty means of every resource. */
  readonly resource: string;
  /** Empty means by everybody. */
  readonly principal: string;
  /** Empty means by every call. */
  readonly call: string;
  /** Empty means of every kind. */
  readonly kinds: readonly ResourceKind[];
}

/** The log of changes. */
export class ChangeStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * At most `count` changes in some range of numbers, newest first; fewer where they are large, and also none where there are few
   * among many others. `rest` is the number below which more may follow; undefined where nothing does.
   */
  async newest(
    filters: ChangeFilters,
    { first, behindLast }: SequenceRange,
    count: number,
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly ChangeRow[]; readonly rest: number | undefined }> {
    const heads: Head[] = [];
    const lowest = Math.max(first, behindLast - windowsPerPage * windowMax);
    for (let end = behindLast; end > lowest && heads.length <= count; end -= windowMax) {
      const begin = Math.max(lowest, end - windowMax);
      heads.push(...(await this.#heads(filters, begin, end, "desc", count + 1 - heads.length)));
      await breathe(signal);
    }
    const rows = await this.#rows(fitting(heads, count), "desc");
    if (rows.length < heads.length) return { rows, rest: rows.at(-1)!.sequence };
    return { rows, rest: lowest > first ? lowest : undefined };
  }

  /**
   * At most `count` changes behind a number, oldest first; fewer where they are large. `seen` is the number up to which there is
   * nothing else, `isMore` says that more may follow at once.
   */
  async oldest(
    filters: ChangeFilters,
    after: number,
    count: number,
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly ChangeRow[]; readonly seen: number; readonly isMore: boolean }> {
    const last = await this.#database.lastSequence();
    const heads: Head[] = [];
    for (let begin = after + 1; begin <= last && heads.length <= count; begin += windowMax) {
      const end = Math.min(last + 1, begin + windowMax);
      heads.push(...(await this.#heads(filters, begin, end, "asc", count + 1 - heads.length)));
      await breathe(signal);
    }
    const rows = await this.#rows(fitting(heads, count), "asc");
    const isMore = rows.length < heads.length;
    return { rows, seen: isMore ? rows.at(-1)!.sequence : last, isMore };
  }

  /** The number of the last change; 0 where there is none. */
  last(): Promise<number> {
    return this.#database.lastSequence();
  }

  /** The numbers of the changes from one time on and before another, in milliseconds since 1970. */
  async during(beginMs: number | undefined, endMs: number | undefined): Promise<SequenceRange> {
    const behindLast = (await this.#database.lastSequence()) + 1;
    const firstSince = async (timeMs: number) => {
      const row = await this.#database.query
        .selectFrom("changes")
        .select("sequence")
        .where("time", ">=", timeMs)
        .orderBy("time")
        .orderBy("sequence")
        .limit(1)
        .executeTakeFirst();
      return Math.min(row?.sequence ?? behindLast, behindLast);
    };
    return {
      first: beginMs === undefined ? 1 : await firstSince(beginMs),
      behindLast: endMs === undefined ? behindLast : await firstSince(endMs),
    };
  }

  /** Looks at a bounded range of numbers. */
  #heads(
    { resource, principal, call, kinds }: ChangeFilters,
    begin: number,
    end: number,
    order: "asc" | "desc",
    count: number,
  ): Promise<Head[]> {
    const model = /^models\/([^/]*)$/.exec(resource)?.[1];
    return this.#database.query
      .selectFrom("changes")
      .select(["sequence", "json_bytes as bytes"])
      .where("sequence", ">=", begin)
      .where("sequence", "<", end)
      .$if(model !== undefined, (query) => query.where("model", "=", model!))
      .$if(model === undefined && resource !== "", (query) => query.where("resource", "=", resource))
      .$if(principal !== "", (query) => query.where("principal", "=", principal))
      .$if(call !== "", (query) => query.where("call", "=", call))
      .$if(kinds.length > 0, (query) => query.where("kind", "in", kinds))
      .orderBy("sequence", order)
      .limit(count)
      .execute();
  }

  async #rows(heads: readonly Head[], order: "asc" | "desc"): Promise<ChangeRow[]> {
    if (heads.length === 0) return [];
    const sequences = heads.map(({ sequence }) => sequence);
    return this.#database.query
      .selectFrom("changes")
      .selectAll()
      .where("sequence", "in", sequences)
      .orderBy("sequence", order)
      .execute();
  }
}

/** Numbers of changes, from the first one on and below the other. */
export interface SequenceRange {
  readonly first: number;
  readonly behindLast: number;
}

/** A change, and how large it is. */
type Head = Pick<ChangeRow, "sequence"> & Sized;

/** Lets others have their turn in the midst of a long search: the embedded database works in this very thread. */
async function breathe(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await setImmediate();
}

/** Most numbers that one statement looks at. */
const windowMax = 10_000;

/** How many statements a page of a list may take: whatever the filters find, it comes within a bounded time. */
const windowsPerPage = 10;
