import { expect } from "chai";
import { sql } from "kysely";
import { systemClock } from "../../lib/clock.ts";
import { Settings } from "../../lib/env.ts";
import { createLog } from "../../lib/log.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";
import { Fleet } from "../../services/registry/control/fleet.ts";
import { SharedFleet } from "../../services/registry/control/shared-fleet.ts";
import { Database } from "../../services/registry/store/database.ts";
import { FleetStore } from "../../services/registry/store/fleet.ts";
import { ManualClock } from "../manual-clock.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { nodeOf } from "./plan-inputs.ts";

describe("a fleet that is shared with other registries", () => {
  it("uses the database no longer once it has stopped: what it was at has ended", async function () {
    this.timeout(60_000);
    const settings = await catalogueStores.find(({ name }) => name === "PostgreSQL")!.settings();
    const database = await Database.open(readRegistryConfig(new Settings(settings)).database, systemClock);
    const clock = new ManualClock();
    const fleet = new Fleet(800, clock, () => undefined);
    const shared = new SharedFleet("one", new FleetStore(database, "one"), fleet, clock, createLog("test", "silent"));
    await shared.start();
    fleet.join(nodeOf("n1"));
    const steps: string[] = [];
    await database.query.transaction().execute(async (transaction) => {
      await sql`LOCK TABLE nodes`.execute(transaction);
      shared.changed("n1");
      clock.advance(500);
      const stopped = shared.stop().then(() => steps.push("stopped"));
      await sql`SELECT pg_sleep(0.2)`.execute(transaction);
      expect(steps).to.deep.equal([]);
      void stopped;
    });
    await shared.stop();
    steps.push("stopped again");
    expect(steps).to.deep.equal(["stopped", "stopped again"]);
    expect(await new FleetStore(database, "other").stamps()).to.have.length(1);
    await database.close();
  });
});
