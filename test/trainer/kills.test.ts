import { setTimeout as waited } from "node:timers/promises";
import { expect } from "chai";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { childProcesses } from "../child-processes.ts";
import type { ServiceProcess } from "../service-process.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { thirdsSpec } from "./thirds.ts";

/** How often a job loses its process, and how often its trainer, Redis and the registry; AMAAS_TEST_KILLS sets both. */
const [processKills, serviceKills] = [2, 1].map((usual) => Number(process.env.AMAAS_TEST_KILLS ?? usual)) as [
  number,
  number,
];

/** So that nobody waits for long until the job of a killed trainer is free. */
const soonFree = { AMAAS_TRAINER_LOCK_MS: "2000" };

describe("a job that is killed at any moment, or whose services are,", function () {
  this.timeout(60_000 + 30_000 * (processKills + serviceKills));
  const running = new RunningTrainer();
  let spec: TrainSpec;
  before(async () => {
    await running.start();
    const network = [{ linear: { inputSize: 2, outputSize: 16 } }, { batchNorm: {} }, { relu: {} }];
    spec = {
      ...(await thirdsSpec(running)),
      layers: [...network, { dropout: { ratio: 0.2 } }, { linear: { outputSize: 3 } }],
      epochs: 300 + 200 * Math.max(processKills, serviceKills),
      averageDecay: 0.9,
      checkpoints: { everySteps: 100 },
    };
  });
  after(() => running.remove());

  /** The digest of the only version of a model. */
  const onlyVersion = async (model: string) => {
    const { versions } = await running.registry.unary("ListVersions", { parent: model });
    expect(versions.map(({ name }) => name)).to.deep.equal([`${model}/versions/1`]);
    return versions[0]!.variants[0]!.artifact;
  };
  const uninterrupted = async () => {
    const job = await running.ended(await running.submit({ ...spec, model: "models/whole" }));
    expect(job).to.include({ state: "STATE_SUCCEEDED", attempts: 1 });
    return onlyVersion("models/whole");
  };
  /** Waits until the job has a checkpoint of another step than before; undefined where it has ended. */
  const nextCheckpoint = async (name: string, step: number | undefined) => {
    for (;;) {
      const { checkpoint, endTime } = await running.trainer.unary("GetJob", { name });
      if (endTime) return undefined;
      if (checkpoint && checkpoint.step !== step) return checkpoint.step;
      await waited(10);
    }
  };
  /** Settles once a job that nothing interrupts registers its result: it is said to be running for the second time. */
  const registering = async (name: string) => {
    let runningCount = 0;
    for await (const { stateChanged } of running.trainer.serverStream("WatchJob", { name })) {
      if (stateChanged?.state === "STATE_RUNNING" && ++runningCount === 2) return;
    }
    expect.fail("it has ended");
  };
  /** Kills the process of the job, and one that was started ahead; answers whether there was any. */
  const killProcess = () => {
    const found = childProcesses("job-process/main");
    for (const id of found) process.kill(id, "SIGKILL");
    return found.length > 0;
  };

  it("goes on from its last checkpoint: one version, and the weights of one that was not, to the last bit", async () => {
    const whole = await uninterrupted();
    const name = await running.submit({ ...spec, model: "models/killed" });
    let step: number | undefined;
    let killed = 0;
    while (killed < processKills) {
      step = await nextCheckpoint(name, step);
      if (step === undefined) break;
      await waited(Math.random() * 300);
      if (killProcess()) killed++;
    }
    const job = await running.ended(name);
    expect(job.state).to.equal("STATE_SUCCEEDED");
    // The last kill may have come too late.
    expect(job.attempts).to.be.within(Math.max(2, killed), killed + 1);
    expect(await onlyVersion("models/killed")).to.equal(whole);
    const { holds } = await running.registry.unary("ListHolds", {});
    expect(holds.filter(({ holder }) => holder === name)).to.deep.equal([]);
  });

  it("does so where Redis is killed, too", async () => {
    const name = await running.submit({ ...spec, model: "models/forgotten" });
    const again = <Value>(call: () => Promise<Value>): Promise<Value> => call().catch(() => again(call));
    let step: number | undefined;
    for (let killed = 0; killed < serviceKills; killed++) {
      const before = step;
      step = await again(() => nextCheckpoint(name, before));
      if (step === undefined) break;
      await waited(Math.random() * 300);
      await running.redis.kill();
      await waited(Math.random() * 300);
      await running.redis.resume();
    }
    const job = await again(() => running.ended(name));
    expect(job.state).to.equal("STATE_SUCCEEDED");
    expect(await onlyVersion("models/forgotten")).to.equal(await onlyVersion("models/whole"));
  });

  it("becomes one version also where the registry is killed while it registers it", async () => {
    const whole = await onlyVersion("models/whole");
    let registry = await running.spawnRegistry();
    const name = await running.submit({ ...spec, model: "models/registered" });
    await registering(name);
    for (let killed = 0; killed < serviceKills; killed++) {
      await waited(Math.random() * 500);
      await registry.kill();
      registry = await running.spawnRegistry();
    }
    expect((await running.ended(name)).state).to.equal("STATE_SUCCEEDED");
    expect(await onlyVersion("models/registered")).to.equal(whole);
    await registry.stop();
    await running.startRegistry();
  });

  it("does so on another trainer, too, where its own was killed, whose process ends with it", async () => {
    const whole = await onlyVersion("models/whole");
    await running.stopTrainers();
    let trainer: ServiceProcess = await running.spawnTrainer(soonFree);
    running.connect(trainer.port);
    const name = await running.submit({ ...spec, model: "models/orphaned" });
    let step: number | undefined;
    for (let killed = 0; killed < serviceKills; killed++) {
      step = await nextCheckpoint(name, step);
      if (step === undefined) break;
      await waited(Math.random() * 100);
      await trainer.kill();
      trainer = await running.spawnTrainer(soonFree);
      running.connect(trainer.port);
    }
    const job = await running.ended(name);
    expect(job.state).to.equal("STATE_SUCCEEDED");
    expect(job.attempts).to.be.above(1);
    expect(await onlyVersion("models/orphaned")).to.equal(whole);
    await trainer.stop();
  });
});
