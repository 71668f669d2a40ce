import type { RowSource, RowStorage } from "../row-source.ts";
import { MemoryRows } from "./memory-rows.ts";

/** The rows that lie there, for one thread. */
export function openRows(storage: RowStorage): RowSource {
  return new MemoryRows(storage);
}
