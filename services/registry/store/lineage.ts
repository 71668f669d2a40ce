import { setImmediate } from "node:timers/promises";
import type { Database } from "./database.ts";
import type { LineageRow } from "./schema.ts";

/** What comes from what, and how far each thing is from the one that was asked for: below 0 upwards. */
export interface LineageGraph {
  readonly nodes: ReadonlyMap<string, number>;
  readonly edges: readonly LineageRow[];
  /** Whether there is more than the bounds allow. */
  readonly isTruncated: boolean;
}

/** Which way to go. */
export interface LineageDirections {
  readonly up: boolean;
  readonly down: boolean;
}

/** The ends of an edge: going up leads from the child to the parent. */
type End = "parent" | "child";

/** Which version came from which version, dataset and job. */
export class LineageStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether anything came from a thing, or it came from anything. */
  async has(name: string): Promise<boolean> {
    const row = await this.#database.query
      .selectFrom("lineage")
      .select("relation")
      .where(({ eb, or }) => or([eb("parent", "=", name), eb("child", "=", name)]))
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** All ancestors and all descendants of a thing, nearest first, as far as `depthMax` steps. */
  async graph(name: string, { up, down }: LineageDirections, depthMax: number): Promise<LineageGraph> {
    const nodes = new Map([[name, 0]]);
    const isUpCut = up && (await this.#walk(nodes, name, "child", "parent", depthMax));
    const isDownCut = down && (await this.#walk(nodes, name, "parent", "child", depthMax));
    const edges = await this.#edgesAmong(nodes);
    const nearestFirst = [...nodes].sort(([, a], [, b]) => Math.abs(a) - Math.abs(b));
    return {
      nodes: new Map(nearestFirst),
      edges: edges.slice(0, edgesMax),
      isTruncated: isUpCut || isDownCut || edges.length > edgesMax,
    };
  }

  /** Adds what is found, level by level; says whether a bound has ended it. */
  async #walk(nodes: Map<string, number>, start: string, from: End, to: End, depthMax: number): Promise<boolean> {
    let level = [start];
    for (let depth = 1; level.length > 0; depth++) {
      const next = (await this.#neighbours(level, from, to)).filter((name) => !nodes.has(name)).sort();
      if (next.length > 0 && depth > depthMax) return true;
      level = next.slice(0, nodesMax - nodes.size);
      for (const name of level) nodes.set(name, to === "parent" ? -depth : depth);
      if (level.length < next.length) return true;
    }
    return false;
  }

  /** Where the edges lead; of so many that they exceed all bounds, some. */
  async #neighbours(names: readonly string[], from: End, to: End): Promise<string[]> {
    const found = new Set<string>();
    for (const chunk of chunksOf(names)) {
      // One more than there may be, so that one of them is new even where all the others are known.
      const rows = await this.#database.query
        .selectFrom("lineage")
        .select(`${to} as name`)
        .distinct()
        .where(from, "in", chunk)
        .limit(nodesMax + 1)
        .execute();
      for (const { name } of rows) found.add(name);
      await setImmediate();
    }
    return [...found];
  }

  /** One more than there may be where there are too many. */
  async #edgesAmong(nodes: ReadonlyMap<string, number>): Promise<LineageRow[]> {
    const edges: LineageRow[] = [];
    for (const chunk of chunksOf([...nodes.keys()])) {
      const rows = await this.#database.query.selectFrom("lineage").selectAll().where("child", "in", chunk).execute();
      edges.push(...rows.filter(({ parent }) => nodes.has(parent)));
      if (edges.length > edgesMax) break;
      await setImmediate();
    }
    return edges;
  }
}

/** A statement takes a bounded number of parameters. */
function* chunksOf(names: readonly string[]): Generator<readonly string[]> {
  for (let begin = 0; begin < names.length; begin += namesMax) yield names.slice(begin, begin + namesMax);
}

const namesMax = 250;
/** Largest answer. */
const nodesMax = 10_000;
const edgesMax = 100_000;
