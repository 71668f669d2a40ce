import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { ChangeStore } from "../../services/registry/store/changes.ts";
import { Database } from "../../services/registry/store/database.ts";
import { ownActor } from "../../services/registry/store/transaction.ts";
import { emptyFolder } from "./running-registry.ts";

describe("changes that are rare in a long log", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let database: Database;
  let changes: ChangeStore;

  beforeEach(async () => {
    folder = await emptyFolder();
    database = await Database.open({ kind: "embedded", folder: folder.path }, systemClock);
    changes = new ChangeStore(database);
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const change = (call: string) =>
    database.change(ownActor(call), 0, async (transaction) => {
      transaction.record({ kind: "MODEL", resource: "models/m", model: "m", before: undefined, after: {} });
    });

  /** As if so many changes of others had been made; where they would lie in the log, a search passes over nothing. */
  const passOver = (count: number) =>
    database.query
      .updateTable("counters")
      .set((row) => ({ value: row("value", "+", count) }))
      .where("name", "=", "changes")
      .execute();

  it("are all found, over pages each of which looks at a bounded part of the log", async () => {
    for (let round = 0; round < 3; round++) {
      await change("Rare");
      await change("Frequent");
      await passOver(249_998);
    }
    const filters = { resource: "", principal: "", call: "Rare", kinds: [] };
    const { signal } = new AbortController();
    const { first, behindLast } = await changes.during(undefined, undefined);
    const found: number[] = [];
    let pageCount = 0;
    for (let behind: number | undefined = behindLast; behind !== undefined; pageCount++) {
      const { rows, rest } = await changes.newest(filters, { first, behindLast: behind }, 100, signal);
      expect(behind - (rest ?? first)).to.be.within(1, 100_000);
      found.push(...rows.map(({ sequence }) => sequence));
      behind = rest;
    }
    expect(found).to.deep.equal([500_001, 250_001, 1]);
    expect(pageCount).to.equal(8);
  });
});
