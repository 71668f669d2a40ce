import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { Fleet } from "../../services/registry/control/fleet.ts";
import { ManualClock } from "../manual-clock.ts";
import { nodeOf } from "./plan-inputs.ts";

describe("a fleet that waits for the first report of a stream", () => {
  const heartbeatMs = 800;
  const silent = new Promise<never>(() => undefined);
  const clock = new ManualClock();
  const fleet = new Fleet(heartbeatMs, clock, () => undefined);
  const outcomeOf = (report: Promise<string>, signal = new AbortController().signal) =>
    fleet.firstReport(report, signal).catch((failure: unknown) => failure);
  const state = async (outcome: Promise<unknown>) => Promise.race([outcome, Promise.resolve("waiting")]);

  it("gives it up after three heartbeats", async () => {
    const outcome = outcomeOf(silent);
    clock.advance(3 * heartbeatMs - 1);
    await Promise.resolve();
    expect(await state(outcome)).to.equal("waiting");
    clock.advance(1);
    const failure = await outcome;
    expect(failure).to.be.instanceOf(ServiceError).and.include({ reason: "DEADLINE_EXCEEDED" });
    expect((failure as ServiceError).message)
      .to.contain("2400 ms")
      .and.contain("800 ms");
  });

  it("answers a report that comes in time, and ends with its signal at once", async () => {
    expect(await outcomeOf(Promise.resolve("report"))).to.equal("report");
    const over = new AbortController();
    const outcome = outcomeOf(silent, over.signal);
    over.abort("over");
    expect(await outcome).to.equal("over");
    expect(await outcomeOf(silent, AbortSignal.abort("over already"))).to.equal("over already");
  });
});

describe("a fleet whose registry stands still", () => {
  const heartbeatMs = 800;
  const stallMs = 14_000;
  let clock: ManualClock;
  let fleet: Fleet;

  beforeEach(() => {
    clock = new ManualClock();
    fleet = new Fleet(heartbeatMs, clock, () => undefined);
  });

  const ids = () => fleet.nodes.map(({ id }) => id);

  it("blames no node for what it could not hear: reports that wait are read first", () => {
    for (const silentMs of [0, 700, 1500, 2399]) {
      const session = fleet.join(nodeOf("n1"));
      clock.advance(silentMs);
      clock.stall(stallMs);
      expect(ids(), `${silentMs} ms`).to.deep.equal(["n1"]);
      fleet.report(session, nodeOf("n1"));
      clock.advance(3 * heartbeatMs - 1);
      expect(ids(), `${silentMs} ms`).to.deep.equal(["n1"]);
    }
  });

  it("loses a node that says nothing afterwards either within three heartbeats, and one that says nothing at all as soon", () => {
    const session = fleet.join(nodeOf("n1"));
    clock.stall(stallMs);
    clock.advance(3 * heartbeatMs);
    expect(ids()).to.deep.equal([]);
    expect(session.ended.aborted).to.equal(true);
    fleet.join(nodeOf("n2"));
    clock.advance(3 * heartbeatMs);
    expect(ids()).to.deep.equal([]);
  });

  it("keeps a node whose stream ended meanwhile until it has connected again, or for three heartbeats", () => {
    const sessions = ["n1", "n2"].map((id) => fleet.join(nodeOf(id)));
    // That one has ended may be read before anybody's time has come, or after.
    clock.stall(stallMs, () => fleet.leave(sessions[0]!));
    fleet.leave(sessions[1]!);
    expect(ids()).to.deep.equal(["n1", "n2"]);
    const next = fleet.join(nodeOf("n1"));
    clock.advance(3 * heartbeatMs - 1);
    fleet.report(next, nodeOf("n1"));
    expect(ids()).to.deep.equal(["n1", "n2"]);
    clock.advance(1);
    expect(ids()).to.deep.equal(["n1"]);
    fleet.leave(next);
    expect(ids()).to.deep.equal([]);
  });
});
