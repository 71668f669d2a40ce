import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { timeMsOf } from "../../lib/timestamp.ts";
import { RunningTrainer } from "./running-trainer.ts";

const dayMs = 24 * 60 * 60 * 1000;

describe("the dataset of a job", function () {
  this.timeout(60_000);
  const running = new RunningTrainer();
  let spec: TrainSpec;

  before(async () => {
    await running.start();
    spec = {
      model: "models/held",
      dataset: await running.uploadDataset("0,0,0\n0,1,1\n1,0,1\n1,1,0\n"),
      layers: [{ linear: { inputSize: 2, outputSize: 2 } }],
      loss: "LOSS_CROSS_ENTROPY",
      optimizer: { sgd: { learningRate: 0.01 } },
      epochs: 2,
      batchSize: 4,
      seed: 5,
    };
  });
  after(() => running.remove());

  const longJob = async () => {
    const name = await running.submit({ ...spec, epochs: 1_000_000 });
    for await (const event of running.trainer.serverStream("WatchJob", { name })) if (event.progressed) break;
    return name;
  };
  const cancel = (name: string) => running.trainer.unary("CancelJob", { name });
  const holds = async () => (await running.registry.unary("ListHolds", { resource: spec.dataset })).holds;
  const holders = async () => (await holds()).map(({ holder }) => holder);
  const released = async (...names: readonly string[]) => {
    while ((await holders()).some((holder) => names.includes(holder))) await sleep(5);
  };

  it("is held for a week in the name of the job, whether it runs or waits, until it is cancelled", async () => {
    const first = await longJob();
    const second = await running.submit(spec);
    expect(await holders()).to.have.members([first, second]);
    for (const { expireTime } of await holds()) {
      expect(timeMsOf(expireTime!) - Date.now()).to.be.within(6.9 * dayMs, 7 * dayMs);
    }
    await Promise.all([first, second].map(cancel));
    await released(first, second);
  });

  it("is released when the job has succeeded or failed", async () => {
    const succeeding = await running.submit(spec);
    const failing = await running.submit({ ...spec, layers: [{ linear: { inputSize: 5, outputSize: 2 } }] });
    const states = await Promise.all([succeeding, failing].map(async (name) => (await running.ended(name)).state));
    expect(states).to.deep.equal(["STATE_SUCCEEDED", "STATE_FAILED"]);
    await released(succeeding, failing);
    expect(await holders()).to.deep.equal([]);
  });

  it("is not held again by a request that was sent before and whose job has ended", async () => {
    const name = await running.submit(spec, "once");
    await running.ended(name);
    await released(name);
    expect(await running.submit(spec, "once")).to.equal(name);
    expect(await holders()).to.deep.equal([]);
  });

  it("fails the job by name where somebody deletes it while the job waits, and no other job", async () => {
    const blocker = await longJob();
    const dataset = await running.uploadDataset("1,1,0\n0,0,1\n");
    const name = await running.submit({ ...spec, dataset });
    await running.registry.unary("ReleaseHold", { resource: dataset, holder: name });
    await running.stopRegistry();
    await running.startRegistry({ ...systemClock, now: () => Date.now() + 2 * dayMs });
    const collect = async (): Promise<void> => {
      for await (const _ of running.registry.serverStream("CollectGarbage", {}));
    };
    const collected = (): Promise<void> => collect().catch(collected);
    await collected();
    await cancel(blocker);
    const job = await running.ended(name);
    expect(job).to.include({ state: "STATE_FAILED" });
    expect(job.error).to.include({ reason: "ARTIFACT_NOT_FOUND" });
    expect(job.error!.message).to.include(dataset);
    expect((await running.ended(await running.submit(spec))).state).to.equal("STATE_SUCCEEDED");
  });

  it("stays held where the registry is away when the job ends, which it does all the same", async () => {
    const name = await longJob();
    await running.stopRegistry();
    expect((await cancel(name)).state).to.equal("STATE_CANCELLED");
    await running.startRegistry();
    const held = async (): Promise<string[]> => holders().catch(held);
    expect(await held()).to.deep.equal([name]);
  });
});
