import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { Settings } from "../../lib/env.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";
import { Database } from "../../services/registry/store/database.ts";
import { ModelStore } from "../../services/registry/store/models.ts";
import { ownActor } from "../../services/registry/store/transaction.ts";
import { catalogueStores } from "./catalogue-stores.ts";

/** How long the word of a commit may take, in milliseconds. */
const msMax = 2000;

describe("commits of two registries on one PostgreSQL", () => {
  let databases: readonly Database[];

  before(async function () {
    this.timeout(60_000);
    const settings = await catalogueStores.find(({ name }) => name === "PostgreSQL")!.settings();
    const { database } = readRegistryConfig(new Settings(settings));
    databases = [await Database.open(database, systemClock), await Database.open(database, systemClock)];
  });

  after(async () => {
    for (const database of databases) await database.close();
  });

  it("are heard by both, each of them once, with what they have touched", async () => {
    const heard = databases.map((database) => {
      const resources: string[] = [];
      database.onCommit((_, touched) => resources.push(...touched.map(({ resource }) => resource)));
      return resources;
    });
    const ids = Array.from({ length: 40 }, (_, index) => `m${index}`);
    const fields = { owner: "", description: "", tags: {}, compatibility: "NONE" as const };
    const models = databases.map((database) => new ModelStore(database, systemClock));
    await Promise.all(ids.map((id, index) => models[index % 2]!.create(ownActor("Test"), id, fields)));
    const wanted = ids.map((id) => `models/${id}`).sort();
    const endMs = Date.now() + msMax;
    while (heard.some((resources) => resources.length < wanted.length) && Date.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // What is told twice comes with the next look.
    await new Promise((resolve) => setTimeout(resolve, 600));
    for (const resources of heard) expect([...resources].sort()).to.deep.equal(wanted);
  });
});
