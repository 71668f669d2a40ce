import type { Database } from "./database.ts";

/**
 * Says whether it is time for something that is to be done once in an interval, by one of the registries that share a
 * database; whoever hears true has taken the turn.
 */
export async function takeTurn(database: Database, name: string, intervalMs: number, nowMs: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await database.query
    .insertInto("counters")
    .values({ name: `${name}_time`, value: nowMs })
    .onConflict((conflict) =>
      conflict
        .column("name")
        .doUpdateSet({ value: nowMs })
        .where("counters.value", "<=", nowMs - intervalMs),
    )
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows > 0n;
}
