import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { byteStores } from "./byte-stores.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { ConnectedNode } from "./connected-node.ts";
import { Inbox } from "./inbox.ts";
import { addingModel } from "./onnx-files.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { emptyFolder, faultOf, point, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";

/** Within which time a change has to reach those who follow another registry. */
const msMax = 1000;

describe("two registries on one PostgreSQL and one S3", () => {
  let folders: readonly Awaited<ReturnType<typeof emptyFolder>>[];
  let registries: readonly RunningRegistry[];
  let [one, other]: RunningRegistry[] = [];

  beforeEach(async function () {
    this.timeout(60_000);
    folders = [await emptyFolder(), await emptyFolder()];
    const catalogue = catalogueStores.find(({ name }) => name === "PostgreSQL")!;
    const bytes = await byteStores.find(({ name }) => name === "S3")!.open(folders[0]!.path);
    const settings = { ...bytes.settings, ...(await catalogue.settings()) };
    registries = await Promise.all(folders.map(({ path }) => startRegistry(path, settings)));
    [one, other] = registries;
  });

  afterEach(async () => {
    for (const running of registries) await running.stop();
    for (const folder of folders) await folder.remove();
  });

  function watch(running: RunningRegistry, afterSequence = 0) {
    const left = new AbortController();
    const request = { afterSequence };
    const inbox = new Inbox(running.registry.serverStream("WatchCatalogue", request, { signal: left.signal }));
    return { inbox, leave: () => left.abort() };
  }

  it(`tell the followers of one what was changed through the other, within ${msMax} ms`, async () => {
    const { inbox, leave } = watch(other!);
    for (let count = 1; count <= 20; count++) {
      await one!.registry.unary("CreateModel", { modelId: `m${count}` });
      const begin = Date.now();
      await inbox.until("the change", () => inbox.messages.length === count);
      expect(Date.now() - begin).to.be.below(msMax);
    }
    leave();
  });

  it(`tell the gateways of one of an alias that was moved through the other, within ${msMax} ms`, async function () {
    this.timeout(60_000);
    for (const addend of [1, 2]) await publish(one!.registry, "m", addingModel(addend));
    await point(one!.registry, "m", "default", 1);
    const node = new ConnectedNode(one!.control, "n1");
    await node.report();
    await node.isAssigned("m/1", "m/2");
    await node.obey();
    node.keepReporting();
    const watcher = new RouteWatcher(other!.control);
    const versions = { "m/1": ["n1:1"], "m/2": ["n1:1"] };
    await watcher.are({ ...versions, "m@default": 1 });
    for (let count = 0; count < 10; count++) {
      const target = count % 2 === 0 ? 2 : 1;
      await point(one!.registry, "m", "default", target);
      const begin = Date.now();
      await watcher.are({ ...versions, "m@default": target });
      expect(Date.now() - begin).to.be.below(msMax);
    }
    watcher.leave();
    node.cut();
  });

  it("read what was written through the other at once", async () => {
    await publish(one!.registry, "m", addingModel(1));
    await publish(one!.registry, "m", addingModel(2));
    for (let count = 0; count < 20; count++) {
      const [writer, reader] = count % 2 === 0 ? [one!, other!] : [other!, one!];
      const { etag } = await point(writer.registry, "m", "default", 1 + (count % 2));
      const { alias } = await reader.registry.unary("ResolveAlias", { name: "models/m/aliases/default" });
      expect(alias?.etag).to.equal(etag);
      const { name } = await reader.registry.unary("GetVersion", { name: "models/m/versions/default" });
      expect(name).to.equal(`models/m/versions/${1 + (count % 2)}`);
    }
  });

  it("let one of two writers win who move an alias through both", async () => {
    await publish(one!.registry, "m", addingModel(1));
    await publish(one!.registry, "m", addingModel(2));
    let { etag } = await point(one!.registry, "m", "default", 1);
    for (let round = 0; round < 20; round++) {
      const moves = registries.map(({ registry }, index) => {
        const alias = { name: "models/m/aliases/default", targets: [{ version: 1 + ((round + index) % 2) }], etag };
        return registry.unary("UpdateAlias", { alias });
      });
      const outcomes = await Promise.allSettled(moves);
      const won = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      const changed = won.filter((alias) => alias.etag !== etag);
      expect(changed).to.have.length.at.most(1);
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === "fulfilled") continue;
        const fault = await faultOf(moves[index]!);
        expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
        expect(fault.metadata.etag).to.equal(changed[0]?.etag);
      }
      etag = changed[0]?.etag ?? etag;
    }
  });

  it("number changes and versions without gaps, however many make them through both", async () => {
    const { variants } = await publish(one!.registry, "m", addingModel(1));
    const version = { variants: [{ artifact: variants[0]!.artifact }] };
    const created = Array.from({ length: 20 }, (_, index) =>
      registries[index % 2]!.registry.unary("CreateVersion", { parent: "models/m", version }),
    );
    const numbers = (await Promise.all(created)).map(({ name }) => Number(name.split("/").at(-1)));
    expect(numbers.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 20 }, (_, index) => index + 2));
    const { changes } = await other!.registry.unary("ListChanges", { pageSize: 1000 });
    expect(changes.map(({ sequence }) => sequence)).to.deep.equal(changes.map((_, index) => changes.length - index));
  });

  it("let who followed one go on at the other when that one stops", async () => {
    await one!.registry.unary("CreateModel", { modelId: "a" });
    const before = watch(one!);
    await before.inbox.until("the change", () => before.inbox.messages.length === 1);
    await one!.stop();
    expect(await before.inbox.end()).to.include({ code: status.UNAVAILABLE });
    await other!.registry.unary("CreateModel", { modelId: "b" });
    const after = watch(other!, before.inbox.messages.at(-1)!.sequence);
    await after.inbox.until("the next change", () => after.inbox.messages.length === 1);
    expect(after.inbox.messages[0]).to.include({ sequence: 2, resource: "models/b" });
    after.leave();
  });
});
