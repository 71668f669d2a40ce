import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { byteStores } from "./byte-stores.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { Inbox } from "./inbox.ts";
import { addingModel } from "./onnx-files.ts";
import { endlessModel, slowModel } from "./raw-models.ts";
import { spawnRegistry } from "./registry-process.ts";
import { clientsOf, emptyFolder, publish, type RunningRegistry, startRegistry, upload } from "./running-registry.ts";
import { nextValidator, processGone } from "./validator-processes.ts";

describe("validation outlives its registry:", function () {
  this.timeout(60_000);

  let folders: Awaited<ReturnType<typeof emptyFolder>>[];
  let ends: (() => Promise<unknown>)[];

  beforeEach(() => {
    folders = [];
    ends = [];
  });

  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    for (const folder of folders) await folder.remove();
  });

  async function newFolder(): Promise<string> {
    const folder = await emptyFolder();
    folders.push(folder);
    return folder.path;
  }

  async function start(settings: Readonly<Record<string, string>>, clock?: Clock): Promise<RunningRegistry> {
    const running = await startRegistry(await newFolder(), settings, clock);
    ends.push(() => running.stop());
    return running;
  }

  /** Registers a model without waiting for it. */
  async function begin({ registry }: Pick<RunningRegistry, "registry">, bytes: Uint8Array): Promise<string> {
    const artifact = await upload(registry, bytes);
    const request = { parent: "models/m", version: { variants: [{ artifact }] }, allowMissingModel: true };
    return (await registry.unary("CreateVersion", { ...request, noWait: true })).name;
  }

  async function becomes({ registry }: Pick<RunningRegistry, "registry">, resource: string, state: string) {
    const changes = new Inbox(registry.serverStream("WatchCatalogue", { resource }));
    await changes.until(state, () => changes.messages.some(({ after }) => after?.version?.state === state));
  }

  it("kill -9 ends the validator too, and after the start the version is validated", async () => {
    const folder = await newFolder();
    const first = await spawnRegistry(folder);
    const clients = clientsOf(first.address);
    const name = await begin(clients, endlessModel());
    const validator = await nextValidator([], first.pid);
    clients.close();
    await first.kill();
    await processGone(validator);
    const running = await startRegistry(folder, { AMAAS_VALIDATION_TIMEOUT_MS: "1500" });
    ends.push(() => running.stop());
    await becomes(running, name, "VERSION_STATE_REJECTED");
    expect(await readdir(join(folder, "registry", "validation"))).to.deep.equal([]);
  });

  describe("of several on one database", () => {
    let settings: Readonly<Record<string, string>>;

    beforeEach(async () => {
      const shared = await byteStores.find(({ name }) => name === "S3")!.open("");
      const database = await catalogueStores.find(({ name }) => name === "PostgreSQL")!.settings();
      settings = { ...shared.settings, ...database };
    });

    it("one validates while another one is busy, and whoever waits hears of it", async () => {
      const first = await start(settings);
      await begin(first, endlessModel());
      // One validator each: the first one has the endless model, since there was nobody else.
      await becomes(first, "models/m/versions/1", "VERSION_STATE_VALIDATING");
      await nextValidator();
      await start(settings);
      expect(await publish(first.registry, "m", addingModel(1))).to.include({ state: "VERSION_STATE_READY" });
    });

    it("one takes up what another one was at when it died", async () => {
      const dying = await spawnRegistry(await newFolder(), settings);
      const clients = clientsOf(dying.address);
      const name = await begin(clients, slowModel());
      await nextValidator([], dying.pid);
      clients.close();
      await dying.kill();
      // Later than the claim of the dead one holds.
      const other = await start(settings, { ...systemClock, now: () => systemClock.now() + 60_000 });
      await becomes(other, name, "VERSION_STATE_READY");
    });
  });
});
