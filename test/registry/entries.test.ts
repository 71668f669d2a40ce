import { expect } from "chai";
import { Settings } from "../../lib/env.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";
import { Database } from "../../services/registry/store/database.ts";
import type { ModelEntry } from "../../services/registry/store/entries.ts";
import { EntryStore } from "../../services/registry/store/entry-store.ts";
import { ManualClock } from "../manual-clock.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { addingModel } from "./onnx-files.ts";
import { publishWith } from "./publish-with.ts";
import { externalModel } from "./raw-models.ts";
import { emptyFolder, point, publish, type RunningRegistry, startRegistry, upload } from "./running-registry.ts";

for (const store of catalogueStores) {
  describe(`what the control plane reads of models (${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let database: Database;
    let entries: EntryStore;
    let all: ReadonlyMap<string, ModelEntry>;

    before(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      const settings = await store.settings();
      const running = await startRegistry(folder.path, settings);
      await fill(running).finally(() => running.stop());
      const config = readRegistryConfig(new Settings({ ...settings, AMAAS_DATA_DIR: folder.path }));
      database = await Database.open(config.database, new ManualClock());
      entries = new EntryStore(database);
      all = await entries.entries();
    });

    after(async () => {
      await database.close();
      await folder.remove();
    });

    it("are models that are not deleted, in the order of their ids, all or those that are asked for", async () => {
      expect([...all.keys()]).to.deep.equal(["aliased", "empty", "files", "routed", "states"]);
      const some = await entries.entries(["files", "gone", "none", "states"]);
      expect([...some.keys()]).to.deep.equal(["files", "states"]);
      expect(some.get("files")).to.deep.equal(all.get("files"));
      expect(all.get("empty")).to.deep.equal({ id: "empty", versions: [], aliases: new Map(), settings: undefined });
    });

    it("are the READY variants of each version, the primary first, with their files and sizes", () => {
      const [version] = all.get("files")!.versions;
      expect(version).to.deep.include({ number: 1, state: "READY", stateReason: "", opsets: { "ai.onnx": 18 } });
      const [primary, small] = version!.variants;
      expect(version!.variants).to.have.length(2);
      expect(primary).to.deep.include({ id: "default", precision: "fp32", executionProviders: [] });
      expect(primary!.modelFile).to.include({ location: "", sizeBytes: externalModel("w.bin").length });
      expect(primary!.externalFiles.map(({ location, sizeBytes }) => [location, sizeBytes])).to.deep.equal([
        ["w.bin", 8],
      ]);
      expect(primary!.sizeBytes).to.equal(primary!.modelFile.sizeBytes + 8);
      expect(primary!.memoryBytes).to.be.a("number");
      expect(primary!.digest).to.match(/^[0-9a-f]{64}$/);
      expect(small).to.deep.include({ id: "small", precision: "int8", executionProviders: ["cpu"] });
      expect(small!.digest).not.to.equal(primary!.digest);
    });

    it("are versions in every state but DELETED, ascending by number", () => {
      const states = all.get("states")!.versions.map(({ number, state, stateReason }) => [number, state, stateReason]);
      expect(states).to.deep.equal([
        [1, "DEPRECATED", "use 3"],
        [3, "READY", ""],
      ]);
    });

    it("are aliases with where they point, and the newest serving settings", () => {
      const { aliases, settings } = all.get("aliased")!;
      expect([...aliases.keys()]).to.deep.equal(["canary", "default"]);
      expect(aliases.get("canary")!.present).to.deep.equal({
        revision: 1,
        targets: [
          { version: 1, weight: 9 },
          { version: 2, weight: 1 },
        ],
        mirrors: [{ version: 3, share: 0.5 }],
      });
      expect(settings).to.deep.include({ traffic: undefined });
      expect(settings!.values).to.deep.equal({ replicas: 3, memoryBytes: 1000, versionPolicy: { latest: 0 } });
    });

    it("have the traffic apart from what nodes are told, which is nothing where only the traffic is set", () => {
      const { settings } = all.get("routed")!;
      expect(settings!.values).to.deep.equal({});
      expect(settings!.traffic).to.deep.include({ stickyKey: "user", hedging: { quantile: 0, delayMsMin: 5 } });
    });

    it("are where aliases have led: the last revision that was kept, until the alias is deleted", async () => {
      const reached = async () => (await entries.entries(["aliased"])).get("aliased")!.aliases.get("default")!.reached;
      const keep = (revision: number) => entries.keepReached([{ model: "aliased", alias: "default", revision }]);
      expect(await reached()).to.equal(undefined);
      // It was at versions 1 and 2, was deleted, and then at 2 and 3.
      await keep(2);
      expect(await reached()).to.equal(undefined);
      await keep(4);
      expect(await reached()).to.deep.equal({ revision: 4, targets: [{ version: 2, weight: 1 }], mirrors: [] });
      await keep(2);
      expect(await reached()).to.deep.include({ revision: 4 });
    });

    it("are read again by the versions that have changed and those that aliases lead to, as they are of all", async () => {
      await entries.keepReached([{ model: "aliased", alias: "default", revision: 4 }]);
      const ofNone = new Set<number>();
      const stale = { aliased: ofNone, empty: ofNone, gone: new Set([1]), states: new Set([2, 3, 9]), none: ofNone };
      const updates = await entries.updates(new Map(Object.entries(stale)));
      expect([...updates.keys()]).to.deep.equal(["aliased", "empty", "states"]);
      const whole = await entries.entries();
      for (const [model, { versions, ...others }] of updates) {
        expect({ ...others, versions: whole.get(model)!.versions }).to.deep.equal(whole.get(model));
        for (const [number, version] of versions) {
          expect(version).to.deep.equal(whole.get(model)!.versions.find((one) => one.number === number));
        }
      }
      const numbersOf = (model: string) => [...updates.get(model)!.versions.keys()].sort();
      expect(numbersOf("aliased")).to.deep.equal([1, 2, 3]);
      expect(numbersOf("empty")).to.deep.equal([]);
      expect(numbersOf("states")).to.deep.equal([2, 3, 9]);
    });
  });
}

/** Models of every kind; the one that is deleted at last is the last change. */
async function fill({ registry }: RunningRegistry): Promise<void> {
  await registry.unary("CreateModel", { modelId: "empty" });
  const files = { "w.bin": new Uint8Array(8) };
  const { name, variants } = await publishWith(registry, externalModel("w.bin"), files, { parent: "models/files" });
  const externalFiles = [{ location: "w.bin", artifact: await upload(registry, new Uint8Array(8).fill(1)) }];
  const small = { id: "small", precision: "int8", executionProviders: ["cpu"], externalFiles };
  await registry.unary("AddVariant", { name, variant: { ...small, artifact: variants[0]!.artifact } });
  for (const addend of [1, 2, 3]) await publish(registry, "states", addingModel(addend));
  const [first, second] = [1, 2].map((number) => `models/states/versions/${number}`);
  await registry.unary("DeprecateVersion", { name: first, reason: "use 3" });
  await registry.unary("DeprecateVersion", { name: second });
  await registry.unary("DeleteVersion", { name: second });
  for (const addend of [1, 2, 3]) await publish(registry, "aliased", addingModel(addend));
  const targets = [{ version: 1, weight: 9 }, { version: 2 }];
  const canary = { name: "models/aliased/aliases/canary", targets, mirrors: [{ version: 3, share: 0.5 }] };
  await registry.unary("UpdateAlias", { alias: canary, allowMissing: true });
  for (const version of [1, 2]) await point(registry, "aliased", "default", version);
  await registry.unary("DeleteAlias", { name: "models/aliased/aliases/default" });
  for (const version of [2, 3]) await point(registry, "aliased", "default", version);
  const settings = { name: "models/aliased/servingSettings", versionPolicy: { latest: 0 }, memoryBytes: 1000 };
  for (const replicas of [2, 3]) await registry.unary("UpdateServingSettings", { settings: { ...settings, replicas } });
  await registry.unary("CreateModel", { modelId: "routed" });
  const traffic = { stickyKey: "user", hedging: { delayMsMin: 5 } };
  await registry.unary("UpdateServingSettings", { settings: { name: "models/routed/servingSettings", traffic } });
  await publish(registry, "gone", addingModel(1));
  await registry.unary("DeleteModel", { name: "models/gone" });
}
