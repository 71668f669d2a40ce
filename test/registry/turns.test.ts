import { expect } from "chai";
import { Settings } from "../../lib/env.ts";
import { HeldTurn } from "../../services/registry/artifacts/held-turn.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";
import { Database } from "../../services/registry/store/database.ts";
import { type Turn, Turns } from "../../services/registry/store/turns.ts";
import { ManualClock } from "../manual-clock.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { emptyFolder } from "./running-registry.ts";

const hourMs = 3_600_000;

/** Turns of which a test knows when they have been renewed, and whose database may go away. */
class WatchedTurns extends Turns {
  isAway = false;
  renewed: Promise<unknown> = Promise.resolve();

  override renew(turn: Turn, leaseMs: number): Promise<boolean> {
    const renewal = this.isAway ? Promise.reject(new Error("away")) : super.renew(turn, leaseMs);
    this.renewed = Promise.allSettled([this.renewed, renewal]);
    return renewal;
  }
}

for (const store of catalogueStores)
  describe(`turns at what is done once in an interval (${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let database: Database;
    let clock: ManualClock;
    let turns: WatchedTurns;

    beforeEach(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      clock = new ManualClock();
      clock.advance(100 * hourMs);
      const settings = new Settings({ ...(await store.settings()), AMAAS_DATA_DIR: folder.path });
      database = await Database.open(readRegistryConfig(settings).database, clock);
      turns = new WatchedTurns(database, clock);
      await turns.start();
    });

    afterEach(async () => {
      await database.close();
      await folder.remove();
    });

    const take = (name = "scrub") => HeldTurn.take(turns, name, hourMs, clock);

    /** Lets time pass in small steps, in which whoever holds a turn has time to keep it. */
    async function pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 5000) {
        clock.advance(5000);
        await turns.renewed;
      }
    }

    it("are taken by one at a time, however long it takes", async () => {
      const taken = await Promise.all([take(), take(), take()]);
      const held = taken.filter((turn) => turn !== undefined);
      expect(held).to.have.length(1);
      expect(await take("collect")).to.not.equal(undefined);
      await pass(2 * hourMs);
      expect(held[0]?.lost.aborted).to.equal(false);
      expect(await take()).to.equal(undefined);
    });

    it("are due again an interval after the last one was begun that was done", async () => {
      const turn = (await take())!;
      expect(turn.dueMs).to.equal(clock.now() - hourMs);
      const begin = clock.now();
      await pass(600_000);
      await turn.end(true);
      await pass(hourMs - 600_000 - 5000);
      expect(await take()).to.equal(undefined);
      await pass(5000);
      clock.advance(7);
      expect((await take())?.dueMs).to.equal(begin + hourMs);
    });

    it("that were not done are due at once", async () => {
      await (await take())!.end(false);
      expect(await take()).to.not.equal(undefined);
    });

    it("of one that has died are taken by another one within a minute", async () => {
      expect(await turns.take("scrub", hourMs, 60_000)).to.not.equal(undefined);
      clock.advance(59_999);
      expect(await take()).to.equal(undefined);
      clock.advance(1);
      expect(await take()).to.not.equal(undefined);
    });

    it("are lost before another one may take them, where nothing can be renewed", async () => {
      const turn = (await take())!;
      turns.isAway = true;
      await pass(40_000);
      clock.advance(4999);
      expect(turn.lost.aborted).to.equal(false);
      clock.advance(1);
      expect(turn.lost.aborted).to.equal(true);
      expect(await take()).to.equal(undefined);
      clock.advance(15_000);
      const next = (await take())!;
      // Whoever has lost it ends nothing that is another one's.
      await turn.end(true);
      await next.end(false);
      expect(await take()).to.not.equal(undefined);
    });

    it("that a dead process had are its own again at the next start, unless others share the catalogue", async () => {
      await turns.take("scrub", hourMs, 60_000);
      const next = new Turns(database, clock);
      await next.start();
      expect((await next.take("scrub", hourMs, 60_000)) === undefined).to.equal(database.isShared);
    });
  });
