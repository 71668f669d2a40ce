import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { addingModel } from "../inference/models.ts";
import { ConstantLoad } from "./constant-load.ts";
import { Fleet } from "./fleet.ts";
import { publish } from "./publishing.ts";
import { served } from "./served.ts";

const model = "adding";
/** How long a gateway may take to hear of an acknowledged move, in milliseconds. */
const moveMsMax = 100;
/** How often an alias is moved, and for how many seconds the registry is dead. */
const [moveCount, deadSeconds] = process.env.AMAAS_TEST_FULL_SIZE === "1" ? [100, 30] : [40, 10];

describe("under constant load the gateway", function () {
  this.timeout(120_000);
  const fleet = new Fleet();
  let load: ConstantLoad;

  before(async () => {
    await fleet.start(["a", "b", "c"]);
    for (const version of [1, 2]) await publish(fleet.control, model, Buffer.from(addingModel(version)));
    await heldBy(3);
    load = new ConstantLoad(fleet.gateway.address, model, { calls: 2, streams: 2 });
  });

  after(async () => {
    await load?.stop();
    await fleet.remove();
  });

  afterEach(() => {
    expect(load.failures).to.deep.equal([]);
    const mixed = load.answers.filter(({ version, value }) => version !== value);
    expect(mixed, "answers of another version than they say").to.deep.equal([]);
  });

  /** Settles once both versions are ready on so many nodes. */
  const heldBy = async (count: number) => {
    for (;;) {
      await Promise.all(["1", "2"].map((version) => served(fleet.inference, model, version)));
      const { nodes } = await fleet.control.unary("ListNodes", {}, { timeoutMs: 10_000 });
      const full = nodes.filter(({ replicas }) => replicas.filter(({ state }) => state === "STATE_READY").length >= 2);
      if (full.length >= count) return;
      await sleep(50);
    }
  };

  const moveTo = async (...targets: { version: number; weight: number }[]) => {
    const alias = { name: `models/${model}/aliases/default`, targets };
    await fleet.control.unary("UpdateAlias", { alias }, { timeoutMs: 10_000 });
    return performance.now();
  };

  /** Settles once so many more requests are answered, so that the load has seen what has happened. */
  const answered = async (more: number) => {
    const enough = load.answers.length + more;
    while (load.answers.length < enough) await sleep(5);
  };

  it("answers with the version that an alias has been moved to, however often, calls and streams", async () => {
    const delays: number[] = [];
    for (let count = 0; count < moveCount; count++) {
      const version = 1 + (count % 2);
      const from = load.answers.length;
      const movedMs = await moveTo({ version, weight: 1 });
      const since = () => load.answers.slice(from).filter(({ beganMs }) => beganMs >= movedMs);
      const isSeen = (kind: string) => since().some((answer) => answer.kind === kind && answer.version === version);
      while (!isSeen("call") || !isSeen("stream")) await sleep(5);
      await sleep(50);
      const answers = since();
      const seenMs = Math.min(...answers.filter((one) => one.version === version).map(({ endedMs }) => endedMs));
      const old = answers.filter((one) => one.version !== version);
      // Whoever asks after somebody has got the new version gets it too.
      expect(old.filter(({ beganMs }) => beganMs > seenMs)).to.deep.equal([]);
      delays.push(Math.max(0, ...old.map(({ beganMs }) => beganMs - movedMs)));
    }
    delays.sort((one, other) => one - other);
    // A machine may pause; most moves are heard of in a fraction of this.
    expect(delays[moveCount / 2], "median of the time after which nobody gets the old version").to.be.below(moveMsMax);
    expect(delays.at(-1)).to.be.below(2000);
  });

  it("gives each version as many calls as its weight says", async () => {
    const movedMs = await moveTo({ version: 1, weight: 7 }, { version: 2, weight: 3 });
    const begun = () => load.answers.filter(({ kind, beganMs }) => kind === "call" && beganMs >= movedMs + moveMsMax);
    while (begun().length < 400) await sleep(10);
    const calls = begun();
    const count = calls.filter(({ version }) => version === 1).length;
    // Five standard deviations of the binomial distribution.
    expect(Math.abs(count - 0.7 * calls.length)).to.be.below(5 * Math.sqrt(calls.length * 0.7 * 0.3));
  });

  it("loses no call when a node is killed, and uses it again once it is back", async () => {
    await fleet.nodes.get("a")!.kill();
    await answered(200);
    await fleet.startNode("a");
    await heldBy(3);
  });

  it("loses no call when nodes are killed while calls are hedged and their limits change", async () => {
    const limits = (requestsPerSecond: number) => ({ requestsPerSecond, concurrentRequests: 0, rowsPerSecond: 0 });
    const settle = async (requestsPerSecond: number, quantile: number) => {
      const traffic = {
        hedging: quantile === 0 ? null : { quantile, delayMsMin: 0 },
        perPrincipal: limits(requestsPerSecond),
        total: limits(2 * requestsPerSecond),
      };
      const settings = { name: `models/${model}/servingSettings`, traffic };
      await fleet.control.unary("UpdateServingSettings", { settings }, { timeoutMs: 10_000 });
    };
    await settle(100_000, 0.5);
    await answered(200);
    await fleet.nodes.get("a")!.kill();
    for (let count = 1; count <= 20; count++) {
      await settle(100_000 + count, 0.5);
      await answered(10);
    }
    await fleet.startNode("a");
    await heldBy(3);
    await settle(0, 0);
  });

  it("loses no call and breaks no stream but with a word to go on when a node drains, and when one joins", async () => {
    const before = load.brokenStreams.length;
    expect(await fleet.nodes.get("b")!.stop()).to.equal(0);
    await answered(100);
    for (const broken of load.brokenStreams.slice(before))
      expect(broken).to.match(/^DRAINING: .*open (it|the stream) again/);
    await fleet.startNode("d");
    await heldBy(3);
    await answered(100);
  });

  it(`loses no call while the registry is dead for ${deadSeconds} s, a node dies and the gateway is started again`, async () => {
    const diedMs = performance.now();
    await fleet.registry.kill();
    await answered(100);
    await fleet.nodes.get("c")!.kill();
    await answered(100);
    const before = load.brokenStreams.length;
    expect(await fleet.gateway.stop()).to.equal(0);
    await fleet.startGateway();
    await answered(100);
    for (const broken of load.brokenStreams.slice(before)) expect(broken).to.match(/^DRAINING/);
    await sleep(Math.max(0, diedMs + deadSeconds * 1000 - performance.now()));
    await fleet.startRegistry();
    const movedMs = await moveTo({ version: 2, weight: 1 });
    await sleep(moveMsMax);
    // The gateway may still be waiting for its next attempt to reach the registry.
    for (;;) if ((await load.call()).version === 2) break;
    expect(performance.now() - movedMs).to.be.below(15_000);
  });
});
