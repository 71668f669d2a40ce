import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { expect } from "chai";
import { BenchProcess } from "../../bench/harness/bench-process.ts";
import { keepToOneCore } from "../../bench/harness/one-core.ts";
import { allProcesses, cpuSeconds, residentOf } from "../../bench/harness/process-figures.ts";
import type { Workplace } from "../../bench/harness/scenario.ts";
import { half, paced, rate } from "../../bench/harness/unary-load.ts";
import { emptyPath } from "../../bench/registry/load/bare-server.ts";
import { loaderArgs } from "../repository.ts";

const bareServer = new URL("../../bench/registry/load/bare-server", import.meta.url);
const unaryLoad = new URL("../../bench/harness/unary-load", import.meta.url);
const load = { requests: [""], connections: 2, inFlightPerConnection: 4, durationMs: 200 };

describe("a process of a bench", () => {
  let place: Workplace;
  let ends: (() => unknown)[];
  let server: BenchProcess<typeof import("../../bench/registry/load/bare-server.ts")>;
  beforeEach(() => {
    ends = [];
    place = {
      folder: "",
      env: { ...process.env, NODE_OPTIONS: loaderArgs.join(" ") },
      tell: () => undefined,
      atEnd: (step) => ends.push(step),
    };
    server = new BenchProcess(bareServer, place);
  });
  afterEach(async () => {
    for (const end of ends) await end();
  });

  it("answers calls of its functions", async () => {
    expect(await server.call("listenEmpty")).to.be.within(1, 65_535);
  });

  it("hands on what a function throws", async () => {
    const caller = new BenchProcess<typeof import("../../bench/harness/unary-load.ts")>(unaryLoad, place);
    const failure = await caller.call("rate", { ...load, port: 1, path: emptyPath }).catch((thrown: Error) => thrown);
    expect(failure).to.be.instanceOf(Error).with.property("message").that.contains("ECONNREFUSED");
  });

  it("ends with its scenario, and so do calls that it has not answered", async () => {
    const unanswered = server.call("listenEmpty").catch((thrown: Error) => thrown);
    await ends[0]!();
    expect(await unanswered).to.be.instanceOf(Error);
    expect(() => process.kill(server.pid, 0)).to.throw("ESRCH");
  });

  it("is known by its processor time and its memory", async function () {
    if (process.platform !== "linux") this.skip();
    await server.call("listenEmpty");
    expect(await cpuSeconds(server.pid)).to.be.above(0);
    const { nowBytes, peakBytes } = await residentOf(server.pid);
    expect(nowBytes).to.be.within(1024 ** 2, peakBytes);
  });

  it("is known among all processes, by the one that has started it", async function () {
    if (process.platform !== "linux") this.skip();
    await server.call("listenEmpty");
    const found = (await allProcesses()).find(({ pid }) => pid === server.pid);
    expect(found).to.include({ parent: process.pid, ended: 0 });
    expect(found!.own).to.be.within(Number.MIN_VALUE, await cpuSeconds(server.pid));
  });

  it("is called as fast as it answers, with every answer counted", async () => {
    const port = await server.call("listenEmpty");
    const { calls, seconds } = await rate({ ...load, port, path: emptyPath });
    expect(calls).to.be.above(load.connections * load.inFlightPerConnection);
    expect(seconds).to.be.within(0.2, 5);
  });

  it("is called at the rate that is wanted, and each call's latency counts from when it was due", async () => {
    const port = await server.call("listenEmpty");
    const { inFlightPerConnection: _, ...paces } = { ...load, port, path: emptyPath, perSecond: 500 };
    const { calls, seconds, refused, p50Ms, p99Ms, sentLateP99Ms } = await paced(paces);
    expect({ calls, refused }).to.deep.equal({ calls: 100, refused: 0 });
    expect(seconds).to.be.within(0.19, 5);
    expect(p50Ms).to.be.within(0.01, p99Ms);
    expect(sentLateP99Ms).to.be.within(0, p99Ms);
  });

  it("is called at half of the rate that it takes, in turns, with the latencies of all of them", async () => {
    const port = await server.call("listenEmpty");
    const { calls, perSecond, refused, p50Ms, p99Ms } = await half({
      ...load,
      port,
      path: emptyPath,
      turnMs: 50,
    });
    expect(refused).to.equal(0);
    // Of each of the four turns, of 50 ms, whole calls.
    expect(calls).to.be.within(perSecond * 0.2 - 4, perSecond * 0.2 + 0.01);
    expect(p50Ms).to.be.within(0.01, p99Ms);
  });

  it("keeps to one core where it is told so", async function () {
    if (process.platform !== "linux") this.skip();
    await server.call("listenEmpty");
    keepToOneCore(server.pid);
    const [, allowed] = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))!;
    expect(allowed).to.match(/^\d+$/);
  });

  it("is told of by how many calls it refused", async () => {
    const port = await server.call("listenEmpty");
    const { inFlightPerConnection: _, ...paces } = { ...load, port, path: "/bench.Bare/Unheard", perSecond: 500 };
    const { calls, refused } = await paced(paces);
    expect({ calls, refused }).to.deep.equal({ calls: 0, refused: 100 });
  });

  it("is called no longer once it has fallen behind, and what waits then counts", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    ends.push(() => silent.close());
    const paces = {
      requests: [""],
      connections: 2,
      perSecond: 500,
      durationMs: 60_000,
      behindMsMax: 40,
      port,
      path: emptyPath,
    };
    const { calls, behind, p99Ms } = await paced(paces);
    expect(calls).to.equal(0);
    expect(behind).to.match(/^\d+ calls waited for answers at 500 calls per second$/);
    expect(p99Ms).to.be.above(0);
  });

  it("is not fast by refusing", async () => {
    const port = await server.call("listenEmpty");
    const failure = await rate({ ...load, port, path: "/bench.Bare/Unheard" }).catch((thrown: Error) => thrown);
    expect(failure).to.be.instanceOf(Error).with.property("message", "a call was refused");
  });
});
