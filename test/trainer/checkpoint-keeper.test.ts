import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import { CheckpointKeeper } from "../../services/trainer/checkpoint-keeper.ts";
import type { Job, JobCheckpoint } from "../../services/trainer/jobs/job.ts";
import { ManualClock } from "../manual-clock.ts";

const before: JobCheckpoint = { step: 5, timeMs: 1, artifact: `artifacts/${"ab".repeat(32)}` };

describe("the checkpoints of a job", () => {
  let folder = "";
  let calls: string[];
  let told: string[];
  let faults: Record<string, ServiceError>;
  let isSuperseded: boolean;
  /** Uploads wait for it. */
  let gate: Promise<void>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-keeper-"));
    [calls, told, faults, isSuperseded, gate] = [[], [], {}, false, Promise.resolve()];
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const called = async (call: string) => {
    calls.push(call);
    const fault = faults[call.split(" ")[0]!];
    if (fault !== undefined) throw fault;
  };
  const keeperOf = (checkpoint?: JobCheckpoint) => {
    const catalogue = {
      upload: async (path: string) => {
        await gate;
        const artifact = `artifacts/${path.split("-").at(-1)}`;
        await called(`upload ${artifact}`);
        return artifact;
      },
      save: (sha256: string) => called(`save ${sha256.slice(0, 4)}`),
      hold: (artifact: string, holder: string, ms: number) => called(`hold ${artifact} by ${holder} for ${ms}`),
      release: (artifact: string, holder: string) => called(`release ${artifact} by ${holder}`),
    };
    const store = {
      keepCheckpoint: async (_job: unknown, { step, artifact }: JobCheckpoint) => {
        await called(`record ${step} ${artifact}`);
        return !isSuperseded;
      },
    };
    const job = { id: "j1", requestId: "r", attempts: 1, ...(checkpoint && { checkpoint }) } as Job;
    const tell = (level: string, text: string) => void told.push(`${level}: ${text}`);
    const parts = { catalogue, store, holdMs: 1000, clock: new ManualClock() };
    return new CheckpointKeeper(parts, { job, tell, log: createLog("test", "silent") });
  };
  const kept = async (step: number) => {
    const path = join(folder, `checkpoint-${step}`);
    await writeFile(path, "state");
    return { path, step };
  };

  it("are stored, held and recorded in this order, and only then the one before is let go", async () => {
    const keeper = keeperOf();
    keeper.add(await kept(10));
    await keeper.settled();
    keeper.add(await kept(20));
    await keeper.settled();
    expect(calls).to.deep.equal([
      "upload artifacts/10",
      "hold artifacts/10 by jobs/j1 for 1000",
      "record 10 artifacts/10",
      "upload artifacts/20",
      "hold artifacts/20 by jobs/j1 for 1000",
      "record 20 artifacts/20",
      "release artifacts/10 by jobs/j1",
    ]);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("let go of that of an earlier attempt, too", async () => {
    const keeper = keeperOf(before);
    keeper.add(await kept(10));
    await keeper.settled();
    expect(calls.at(-1)).to.equal(`release ${before.artifact} by jobs/j1`);
  });

  for (const [step, fault] of [
    ["upload", new ServiceError("DISK_FULL", "no space is left")],
    ["upload", new ServiceError("SERVICE_UNAVAILABLE", "the registry is away")],
    ["record", new ServiceError("SERVICE_UNAVAILABLE", "Redis is away")],
  ] as const) {
    it(`are lost where ${step} fails with ${fault.reason}: the last good one stays, watchers are told, and the next is tried`, async () => {
      const keeper = keeperOf(before);
      faults = { [step]: fault };
      keeper.add(await kept(10));
      await keeper.settled();
      expect(calls.filter((call) => call.startsWith("release"))).to.deep.equal([]);
      expect(told).to.deep.equal([
        `warn: the checkpoint of step 10 cannot be kept, that of step 5 stays, and the job goes on: ${fault.message}`,
      ]);
      faults = {};
      keeper.add(await kept(20));
      await keeper.settled();
      expect(calls.slice(-2)).to.deep.equal(["record 20 artifacts/20", `release ${before.artifact} by jobs/j1`]);
      expect(await readdir(folder)).to.deep.equal([]);
    });
  }

  it("that come while one is on its way take the place of those that wait", async () => {
    let open = () => {};
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const keeper = keeperOf();
    for (const step of [10, 20, 30]) keeper.add(await kept(step));
    open();
    await keeper.settled();
    const uploads = calls.filter((call) => call.startsWith("upload"));
    expect(uploads).to.deep.equal(["upload artifacts/10", "upload artifacts/30"]);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("of an attempt that another one has superseded are let go themselves", async () => {
    isSuperseded = true;
    const keeper = keeperOf(before);
    keeper.add(await kept(10));
    await keeper.settled();
    expect(calls.at(-1)).to.equal("release artifacts/10 by jobs/j1");
  });

  it("are held again and read by the next attempt", async () => {
    const { signal } = new AbortController();
    expect(await keeperOf().restored(folder, signal)).to.equal(undefined);
    expect(await keeperOf(before).restored(folder, signal)).to.equal(join(folder, "resumed"));
    expect(calls).to.deep.equal([`hold ${before.artifact} by jobs/j1 for 1000`, "save abab"]);
  });

  it("that the registry has lost make the job begin anew; one that is away makes it wait", async () => {
    const { signal } = new AbortController();
    faults = { hold: new ServiceError("ARTIFACT_NOT_FOUND", "there is none") };
    expect(await keeperOf(before).restored(folder, signal)).to.equal(undefined);
    expect(told).to.deep.equal(["warn: the checkpoint of step 5 is lost, so it begins anew: there is none"]);
    faults = { hold: new ServiceError("SERVICE_UNAVAILABLE", "the registry is away") };
    const thrown = await keeperOf(before)
      .restored(folder, signal)
      .catch((failure) => failure);
    expect(thrown).to.equal(faults.hold);
  });
});
