import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { type PostgresServer, startPostgres } from "../postgres.ts";
import { ConnectedNode } from "./connected-node.ts";
import { Inbox } from "./inbox.ts";
import { addingModel } from "./onnx-files.ts";
import { committed, OpenUpload } from "./open-upload.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { emptyFolder, faultOf, point, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";

/** How long a call may take to say that the database is away, and how long it may take to notice that it is back. */
const atOnceMs = 500;
const backMsMax = 5000;

describe("a registry whose PostgreSQL is killed", () => {
  let server: PostgresServer;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let settings: Record<string, string>;
  let running: RunningRegistry;

  before(async function () {
    this.timeout(60_000);
    server = await startPostgres();
  });

  after(() => server.stop());

  beforeEach(async () => {
    folder = await emptyFolder();
    settings = { AMAAS_DATABASE_URL: await server.createDatabase() };
    running = await startRegistry(folder.path, settings);
  });

  afterEach(async () => {
    await running.stop();
    await server.start();
    await folder.remove();
  });

  const create = (modelId: string) => running.registry.unary("CreateModel", { modelId }, { timeoutMs: 10_000 });

  /** Kills the server; settles once its last process, which may finish what it does, is gone too. */
  async function kill(): Promise<void> {
    await server.kill();
    await until(status.UNAVAILABLE);
  }

  /** Starts the server; settles once a call works again. */
  async function restart(): Promise<void> {
    await server.start();
    await until(status.OK);
  }

  async function until(wanted: status): Promise<void> {
    for (const endMs = Date.now() + backMsMax; ; ) {
      const call = running.registry.unary("GetModel", { name: "models/kept" });
      const code = await call.then(
        () => status.OK,
        (failure) => remoteFaultOf(failure).code,
      );
      if (code === wanted) return;
      if (Date.now() > endMs) throw new Error(`calls answer with ${status[code]} for too long`);
    }
  }

  it("answers every call with UNAVAILABLE at once, and goes on when it is back", async () => {
    await create("kept");
    await kill();
    for (const call of [
      () => create("m"),
      () => running.registry.unary("GetModel", { name: "models/kept" }),
      () => running.registry.unary("ListModels", {}),
      () => running.registry.unary("ListChanges", {}),
      () => running.registry.serverStream("WatchCatalogue", {}).next(),
    ]) {
      const begin = Date.now();
      const fault = await faultOf(call());
      expect(fault).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
      expect(fault.message).to.contain("database");
      expect(Date.now() - begin).to.be.below(atOnceMs);
    }
    await restart();
    await create("m");
  });

  it("needs no byte again of an upload that came to its end while it was away", async () => {
    await create("kept");
    const bytes = Buffer.alloc(1_000_000, 1);
    const open = new OpenUpload(running.registry, bytes);
    await open.send(500_000);
    await kill();
    expect(await faultOf(open.finish())).to.include({ reason: "SERVICE_UNAVAILABLE" });
    await restart();
    await committed(running.registry, open.name, bytes.length);
    await new OpenUpload(running.registry, bytes, bytes.length).end();
    const { state } = await running.registry.unary("GetArtifact", { name: open.name });
    expect(state).to.equal("STATE_STORED");
  });

  it("lets a watch go on when it is back, without a gap", async () => {
    await create("kept");
    const left = new AbortController();
    const inbox = new Inbox(running.registry.serverStream("WatchCatalogue", {}, { signal: left.signal }));
    await inbox.until("the first change", () => inbox.messages.length === 1);
    await kill();
    expect(await faultOf(create("lost"))).to.include({ code: status.UNAVAILABLE });
    await restart();
    await create("after");
    await inbox.until("the change after the outage", () => inbox.messages.at(-1)?.resource === "models/after");
    expect(inbox.messages.map(({ sequence }) => sequence)).to.deep.equal([1, 2]);
    left.abort();
  });

  it("lets gateways and nodes go on when it is back", async function () {
    this.timeout(60_000);
    for (const addend of [1, 2]) await publish(running.registry, "kept", addingModel(addend));
    await point(running.registry, "kept", "default", 1);
    const node = new ConnectedNode(running.control, "n1");
    await node.report();
    await node.isAssigned("kept/1", "kept/2");
    await node.obey();
    const watcher = new RouteWatcher(running.control);
    const versions = { "kept/1": ["n1:1"], "kept/2": ["n1:1"] };
    await watcher.are({ ...versions, "kept@default": 1 });
    const reports = setInterval(() => void node.obey(), 500);
    await kill();
    await restart();
    await point(running.registry, "kept", "default", 2);
    await watcher.are({ ...versions, "kept@default": 2 });
    clearInterval(reports);
    // The same streams as before, and nobody was told that a replica is gone.
    expect(watcher.steps.messages.filter(({ snapshot }) => snapshot)).to.have.length(1);
    expect(watcher.steps.messages.every((step) => !step.removed)).to.equal(true);
    watcher.leave();
    node.cut();
  });

  it("has lost nothing that it acknowledged", async function () {
    this.timeout(60_000);
    await create("kept");
    for (let round = 0; round < 3; round++) {
      const acknowledged: string[] = [];
      const write = async (writer: number) => {
        for (let count = 0; ; count++) {
          const { name } = await create(`r${round}-w${writer}-${count}`);
          acknowledged.push(name);
        }
      };
      const writing = Array.from({ length: 4 }, (_, writer) => faultOf(write(writer)));
      while (acknowledged.length < 20) await running.registry.unary("GetModel", { name: "models/kept" });
      await server.kill();
      for (const fault of await Promise.all(writing)) expect(fault).to.include({ code: status.UNAVAILABLE });
      await restart();
      const idPrefix = `r${round}-`;
      const { models } = await running.registry.unary("ListModels", { pageSize: 1000, idPrefix });
      expect(models.map(({ name }) => name)).to.include.members(acknowledged);
      // What was under way may have been done, and nothing else was.
      expect(models.length - acknowledged.length).to.be.within(0, 4);
    }
    const sequences: number[] = [];
    for await (const { sequence } of running.registry.serverStream("WatchCatalogue", {})) {
      sequences.push(sequence);
      if (sequences.length === (await running.registry.unary("ListChanges", { pageSize: 1 })).changes[0]?.sequence)
        break;
    }
    expect(sequences).to.deep.equal(sequences.map((_, index) => index + 1));
  });

  it("does not start without it, and says which one does not answer", async () => {
    await server.kill();
    const other = await emptyFolder();
    const failure = await startRegistry(other.path, settings).then(
      () => undefined,
      (error: Error) => error,
    );
    const { host } = new URL(settings.AMAAS_DATABASE_URL!);
    expect(failure?.message).to.contain("AMAAS_DATABASE_URL").and.contain(host);
    await other.remove();
  });
});
