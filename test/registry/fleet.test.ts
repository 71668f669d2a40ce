import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { Fleet } from "../../services/registry/control/fleet.ts";
import { ManualClock } from "../manual-clock.ts";

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
