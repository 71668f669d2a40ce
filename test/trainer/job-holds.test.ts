import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import { type HoldingJob, JobHolds } from "../../services/trainer/job-holds.ts";
import type { Job } from "../../services/trainer/jobs/job.ts";
import { ManualClock } from "../manual-clock.ts";

const hourMs = 60 * 60 * 1000;

describe("what jobs hold", () => {
  const log = createLog("test", "silent");
  const work = { kind: "train", spec: { dataset: "artifacts/ab" } };
  const job = { id: "j1", requestId: "r", state: "PAUSED", work } as HoldingJob;
  const rich: HoldingJob = {
    ...job,
    checkpoint: { step: 3, timeMs: 0, artifact: "artifacts/c3" },
    predicted: { version: "models/m/versions/1", parts: [[0, "artifacts/p0"]] },
    trials: [
      { job: "t", parameters: {}, scores: [], epochs: 1, state: "running" },
      {
        ...{ job: "u", parameters: {}, scores: [1], epochs: 1, state: "succeeded" },
        offer: { model: "artifacts/m", facts: "artifacts/f" },
      },
    ],
    output: "artifacts/out",
  };
  const all = ["ab", "c3", "p0", "m", "f"].map((name) => `artifacts/${name}`);
  let clock: ManualClock;
  let calls: string[];
  let isAway: boolean;
  let lost: string;
  let found: Map<string, HoldingJob>;

  beforeEach(() => {
    clock = new ManualClock();
    calls = [];
    isAway = false;
    lost = "";
    found = new Map([["j1", job]]);
  });

  const holdsOf = (holdMs: number) => {
    const called = async (call: string) => {
      if (isAway) throw new ServiceError("SERVICE_UNAVAILABLE", "the registry is away");
      calls.push(call);
    };
    const catalogue = {
      hold: async (resource: string, holder: string, durationMs: number) => {
        if (resource === lost) throw new ServiceError("ARTIFACT_NOT_FOUND", "it is lost");
        return called(`hold ${resource} by ${holder} for ${durationMs} at ${clock.now()}`);
      },
      release: (resource: string, holder: string) => called(`release ${resource} by ${holder}`),
    };
    const store = {
      openIds: async () => [...found.keys()],
      find: async (id: string) => found.get(id) as Job | undefined,
    };
    return new JobHolds({ catalogue, store, holdMs, clock, log });
  };
  const passes = async (byMs: number, times: number) => {
    for (let i = 0; i < times; i++) {
      clock.advance(byMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const timesOf = () => calls.map((call) => call.split(" ").at(-1));

  it("is prolonged every hour, whoever is at work or nobody, until the trainer stops", async () => {
    const holds = holdsOf(7 * 24 * hourMs);
    holds.start();
    await passes(hourMs, 3);
    await holds.stop();
    await passes(hourMs, 3);
    const hold = `hold artifacts/ab by jobs/j1 for ${7 * 24 * hourMs}`;
    expect(calls).to.deep.equal([1, 2, 3].map((hours) => `${hold} at ${hours * hourMs}`));
  });

  it("is prolonged in time where it is short, and after all once a registry that was away is back", async () => {
    holdsOf(3000).start();
    await passes(1000, 2);
    isAway = true;
    await passes(1000, 2);
    isAway = false;
    await passes(1000, 1);
    expect(timesOf()).to.deep.equal(["1000", "2000", "5000"]);
  });

  it("is all that a job needs, as its record has it then", async () => {
    holdsOf(3000).start();
    found.set("j1", rich);
    await passes(1000, 1);
    expect(calls).to.have.members(all.map((artifact) => `hold ${artifact} by jobs/j1 for 3000 at 1000`));
  });

  it("is let go again where the job has ended while it was prolonged", async () => {
    const holds = holdsOf(3000);
    holds.start();
    let reads = 0;
    found.get = () => (reads++ === 0 ? job : { ...job, state: "SUCCEEDED" });
    await passes(1000, 1);
    await holds.stop();
    expect(calls.at(-1)).to.equal("release artifacts/ab by jobs/j1");
  });

  it("is the registry's fault to whoever waits for it", async () => {
    isAway = true;
    expect(
      await holdsOf(3000)
        .hold(job)
        .catch((failure) => failure),
    ).to.include({ reason: "SERVICE_UNAVAILABLE" });
  });

  it("does without what the job has made and the registry has lost, but not without what it was given", async () => {
    lost = "artifacts/c3";
    await holdsOf(3000).hold(rich);
    expect(calls).to.have.length(all.length - 1);
    lost = "artifacts/ab";
    const failure = await holdsOf(3000)
      .hold(rich)
      .catch((thrown) => thrown);
    expect(failure).to.include({ reason: "ARTIFACT_NOT_FOUND" });
  });

  it("ends in the background but for what the job leaves, and a registry that is away is nobody's failure", async () => {
    const holds = holdsOf(3000);
    holds.release(rich, log);
    await holds.stop();
    expect(calls).to.have.members(all.map((artifact) => `release ${artifact} by jobs/j1`));
    isAway = true;
    holds.release(rich, log);
    await holds.stop();
  });
});
