import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as passed } from "node:timers/promises";
import { expect } from "chai";
import { Settings } from "../../lib/env.ts";
import { readInferenceConfig } from "../../services/inference/config.ts";
import { makeCalls } from "../../services/inference/rehearsal/caller.ts";
import { rehearseCalls } from "../../services/inference/rehearsal/rehearsal.ts";
import { emptyFolder, startNode } from "./running-node.ts";

const idle = { outstanding: 0 };
const config = (rehearsalCalls: number) => ({ ...readInferenceConfig(new Settings({})), rehearsalCalls });

describe("a rehearsal", () => {
  it("answers as many calls as are set", async () => {
    expect(await rehearseCalls(config(40), idle, new AbortController().signal)).to.equal(40);
  });

  it("rehearses on a node that is set to the least of everything", async () => {
    const queue = { requestsMax: 1, rowsMax: 1, bytesMax: 1024 };
    const bounds = { queue, nodeQueue: queue, messageBytesMax: 1024, memoryBudgetBytes: 1 };
    const least = { ...config(40), ...bounds, coreCount: 1, loadsMax: 1, instanceCount: 1 };
    expect(await rehearseCalls(least, idle, new AbortController().signal)).to.equal(40);
  });

  it("answers what it has begun, and no more, once it is to end", async () => {
    const end = new AbortController();
    const rehearsing = rehearseCalls(config(1_000_000), idle, end.signal);
    setTimeout(() => end.abort(), 50);
    expect(await rehearsing).to.be.below(1_000_000);
  });

  it("gives way to requests of others: a call on each of its connections in five milliseconds", async () => {
    const end = new AbortController();
    const beginMs = performance.now();
    const rehearsing = rehearseCalls(config(1_000_000), { outstanding: 1 }, end.signal);
    setTimeout(() => end.abort(), 200);
    const answered = await rehearsing;
    const pauses = Math.ceil((performance.now() - beginMs) / 4);
    expect(answered).to.be.within(1, 2 * pauses);
  });

  it("fails where it is not answered", async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { signal } = new AbortController();
    const calls = {
      port,
      path: "/",
      requests: [new Uint8Array(1)],
      count: 1,
      inFlight: 1,
      givesWay: () => false,
      signal,
    };
    const failure: unknown = await makeCalls(calls).catch((thrown: unknown) => thrown);
    server.close();
    expect(failure).to.be.an("error");
  });
});

describe("a node that rehearses", () => {
  /** By then it has begun. */
  const begunMs = 1200;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  beforeEach(async () => {
    folder = await emptyFolder();
  });
  afterEach(() => folder.remove());

  it("knows nothing of it in its index and its figures", async () => {
    const node = await startNode(folder.path, "127.0.0.1:1", { rehearsalCalls: 1_000_000 });
    await passed(begunMs);
    const { models } = await node.client.unary("RepositoryIndex", {});
    const metrics = await (await fetch(`http://127.0.0.1:${node.service.metricsPort}/metrics`)).text();
    await node.stop();
    expect(models).to.deep.equal([]);
    expect(metrics).not.to.match(/^nv_inference_count\{/m);
  });

  it("stops without waiting for what is left of it", async () => {
    const node = await startNode(folder.path, "127.0.0.1:1", { rehearsalCalls: 1_000_000 });
    await passed(begunMs);
    const beginMs = performance.now();
    await node.stop();
    expect(performance.now() - beginMs).to.be.below(3000);
  });
});
