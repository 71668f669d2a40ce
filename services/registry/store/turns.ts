import { randomUUID } from "node:crypto";
import type { Clock } from "../../../lib/clock.ts";
import type { Database } from "./database.ts";

/** A turn at something, which nobody else takes while it is renewed. */
export interface Turn {
  readonly name: string;
  /** Since when it is due, in milliseconds since 1970; an interval ago at the earliest. */
  readonly dueMs: number;
  /** Names the claim. */
  readonly lease: string;
}

/**
 * What is to be done once in an interval, by one of the registries that share a database. It counts as done only when that is
 * said: whoever takes a turn and dies has it taken by another one soon, or by itself after a restart.
 */
export class Turns {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Gives back what this registry had when it died. Where others share the catalogue, their turns have to run out. */
  async start(): Promise<void> {
    const { query, isShared } = this.#database;
    if (!isShared) await query.updateTable("turns").set({ lease_holder: null, lease_time: 0 }).execute();
  }

  /** Takes a turn, for a while; undefined where it is not due or somebody else is at it. */
  async take(name: string, intervalMs: number, leaseMs: number): Promise<Turn | undefined> {
    const now = this.#clock.now();
    const claim = { lease_holder: randomUUID(), lease_time: now + leaseMs };
    const row = await this.#database.query
      .insertInto("turns")
      .values({ name, done_time: 0, ...claim })
      .onConflict((conflict) =>
        conflict
          .column("name")
          .doUpdateSet(claim)
          .where("turns.done_time", "<=", now - intervalMs)
          .where("turns.lease_time", "<=", now),
      )
      .returning("done_time")
      .executeTakeFirst();
    return (
      row && { name, dueMs: Math.max(row.done_time, now - 2 * intervalMs) + intervalMs, lease: claim.lease_holder }
    );
  }

  /** Keeps a turn for a while from now on; false where it has run out and another one holds. */
  async renew({ name, lease }: Turn, leaseMs: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#database.query
      .updateTable("turns")
      .set({ lease_time: this.#clock.now() + leaseMs })
      .where("name", "=", name)
      .where("lease_holder", "=", lease)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  /** Ends a turn: with the time at which what is done now was begun, the next one is due an interval later; else at once. */
  async end({ name, lease }: Turn, beginMs?: number): Promise<void> {
    await this.#database.query
      .updateTable("turns")
      .set({ lease_holder: null, lease_time: 0, ...(beginMs !== undefined && { done_time: beginMs }) })
      .where("name", "=", name)
      .where("lease_holder", "=", lease)
      .execute();
  }
}
