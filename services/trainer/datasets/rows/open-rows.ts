import type { RowSource, RowStorage } from "../row-source.ts";
import { DiskRows } from "./disk-rows.ts";
import { MemoryRows } from "./memory-rows.ts";

/** The rows that lie there, for one thread. */
export function openRows(storage: RowStorage): RowSource {
  return storage.kind === "memory" ? new MemoryRows(storage) : new DiskRows(storage);
}
