import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import { DatasetHolds, type HoldingJob } from "../../services/trainer/dataset-holds.ts";
import { ManualClock } from "../manual-clock.ts";

const hourMs = 60 * 60 * 1000;

describe("the hold on a job's dataset", () => {
  const log = createLog("test", "silent");
  const { signal } = new AbortController();
  const job = { id: "j1", requestId: "r", work: { kind: "train", spec: { dataset: "artifacts/ab" } } } as HoldingJob;
  let clock: ManualClock;
  let calls: string[];
  let isAway: boolean;

  beforeEach(() => {
    clock = new ManualClock();
    calls = [];
    isAway = false;
  });

  const holdsOf = (holdMs: number) => {
    const called = async (call: string) => {
      if (isAway) throw new ServiceError("SERVICE_UNAVAILABLE", "the registry is away");
      calls.push(call);
    };
    const catalogue = {
      hold: (resource: string, holder: string, durationMs: number) =>
        called(`hold ${resource} by ${holder} for ${durationMs} at ${clock.now()}`),
      release: (resource: string, holder: string) => called(`release ${resource} by ${holder}`),
    };
    return new DatasetHolds({ catalogue, holdMs, clock });
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  /** Work that goes on until it is told to end. */
  const work = () => {
    let end = (_: string) => {};
    const done = new Promise<string>((resolve) => {
      end = resolve;
    });
    return { run: () => done, end };
  };
  const passes = async (byMs: number, times: number) => {
    for (let i = 0; i < times; i++) {
      clock.advance(byMs);
      await settled();
    }
  };

  it("begins before the work, is prolonged every hour while it goes on, and no longer", async () => {
    const { run, end } = work();
    const during = holdsOf(7 * 24 * hourMs).during({ job, signal, log }, run);
    await settled();
    await passes(hourMs, 3);
    end("done");
    expect(await during).to.equal("done");
    await passes(hourMs, 3);
    const hold = `hold artifacts/ab by jobs/j1 for ${7 * 24 * hourMs}`;
    expect(calls).to.deep.equal([0, 1, 2, 3].map((hours) => `${hold} at ${hours * hourMs}`));
  });

  it("is prolonged in time where it is short", async () => {
    const { run, end } = work();
    const during = holdsOf(3000).during({ job, signal, log }, run);
    await settled();
    await passes(1000, 2);
    end("done");
    await during;
    expect(calls.map((call) => call.split(" ").at(-1))).to.deep.equal(["0", "1000", "2000"]);
  });

  it("is prolonged after all once a registry that was away is back", async () => {
    const { run, end } = work();
    const during = holdsOf(3000).during({ job, signal, log }, run);
    await settled();
    isAway = true;
    await passes(1000, 2);
    isAway = false;
    await passes(1000, 1);
    end("done");
    await during;
    expect(calls.map((call) => call.split(" ").at(-1))).to.deep.equal(["0", "3000"]);
  });

  it("is what the work waits for, and the registry's fault is the work's", async () => {
    isAway = true;
    const begun = holdsOf(3000).during({ job, signal, log }, async () => expect.fail("it was begun"));
    expect(await begun.catch((failure) => failure)).to.include({ reason: "SERVICE_UNAVAILABLE" });
  });

  it("ends in the background, and a registry that is away is nobody's failure", async () => {
    const holds = holdsOf(3000);
    holds.release(job, log);
    await holds.stop();
    expect(calls).to.deep.equal(["release artifacts/ab by jobs/j1"]);
    isAway = true;
    holds.release(job, log);
    await holds.stop();
  });
});
