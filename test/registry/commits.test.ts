import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { Settings } from "../../lib/env.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";
import { changesBehind } from "../../services/registry/handlers/catalogue-watch.ts";
import { ChangeStore } from "../../services/registry/store/changes.ts";
import { Database } from "../../services/registry/store/database.ts";
import { ModelStore } from "../../services/registry/store/models.ts";
import { ownActor } from "../../services/registry/store/transaction.ts";
import { catalogueStores } from "./catalogue-stores.ts";

const fields = { owner: "", description: "", tags: {}, compatibility: "NONE" as const };

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
    const models = databases.map((database) => new ModelStore(database, systemClock));
    const make = (id: string, index: number) => models[index % 2]!.create(ownActor("Test"), id, fields);
    await Promise.all(ids.map(make));
    // Both look once more for what comes last, so that whatever is told twice has been by then.
    const markers = ["z0", "z1"];
    for (const [index, id] of markers.entries()) await make(id, index);
    const named = (all: readonly string[]) => all.map((id) => `models/${id}`);
    await until(() => heard.every((resources) => named(markers).every((marker) => resources.includes(marker))));
    for (const resources of heard) expect([...resources].sort()).to.deep.equal(named([...ids, ...markers]).sort());
  });

  it("wake a watch for what it asks for, and for nothing else", async () => {
    const [one, other] = databases as [Database, Database];
    const looks: number[] = [];
    class CountedChanges extends ChangeStore {
      override oldest(...asked: Parameters<ChangeStore["oldest"]>) {
        looks.push(asked[1]);
        return super.oldest(...asked);
      }
    }
    const models = new ModelStore(one, systemClock);
    const heard = new Set<string>();
    const stopListening = other.onCommit((_, touched) => {
      for (const { resource } of touched) heard.add(resource);
    });
    const make = async (id: string) => {
      await models.create(ownActor("Test"), id, fields);
      await until(() => heard.has(`models/${id}`));
    };
    await make("watched");
    const over = new AbortController();
    const filters = { resource: "models/watched", principal: "", call: "", kinds: ["MODEL" as const] };
    const parts = { database: other, changes: new CountedChanges(other), clock: systemClock };
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { call } of changesBehind(await one.lastSequence(), filters, parts, over.signal))
        seen.push(call);
    })().catch(() => undefined);
    await until(() => looks.length > 0);
    for (let index = 0; index < 10; index++) await make(`unwatched${index}`);
    await models.delete(ownActor("Expected"), "watched", "", false);
    await until(() => seen.length > 0);
    expect(seen).to.deep.equal(["Expected"]);
    // One when it began, and one for what it waited for.
    expect(looks).to.have.length(2);
    stopListening();
    over.abort();
    await watching;
  });
});

async function until(isSo: () => boolean): Promise<void> {
  for (const endMs = Date.now() + msMax; !isSo(); await sleep(5)) {
    if (Date.now() > endMs) throw new Error(`it did not come within ${msMax} ms`);
  }
}
