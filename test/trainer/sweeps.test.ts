import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { Job__Output } from "../../lib/gen/amaas/trainer/v1/Job.ts";
import type { SweepSpec } from "../../lib/gen/amaas/trainer/v1/SweepSpec.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import type { ServiceProcess } from "../service-process.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { thirdsSpec } from "./thirds.ts";

describe("a sweep", function () {
  this.timeout(240_000);
  const running = new RunningTrainer();
  let base: TrainSpec;
  let spawned: ServiceProcess | undefined;

  before(async () => {
    await running.start();
    base = await thirdsSpec(running);
  });
  after(async () => {
    await spawned?.stop();
    await running.remove();
  });

  const rates = (...values: readonly number[]) => ({
    field: "optimizer.adam.learning_rate",
    values: { json: values.map(String) },
  });
  const submit = async (model: string, sweep: SweepSpec) => {
    const job = { sweep: { ...sweep, base: { ...base, model: `models/${model}`, ...sweep.base } } };
    return (await running.trainer.unary("CreateJob", { job })).name;
  };
  const get = (name: string) => running.trainer.unary("GetJob", { name });
  const jobsOf = async (name: string) =>
    (await running.trainer.unary("ListJobs", {})).jobs.filter(({ parent }) => parent === name);
  const linesOf = async (name: string) =>
    (await running.events(name)).flatMap(({ logged }) => (logged ? [logged.text] : []));
  /** Waits until a sweep has begun so many trials. */
  const hasBegun = async (name: string, count: number): Promise<Job__Output> => {
    const job = await get(name);
    if (job.leaderboard.length >= count) return job;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return hasBegun(name, count);
  };
  /** Waits until nobody holds an artifact. */
  const isFree = async (resource: string): Promise<void> => {
    if ((await running.registry.unary("ListHolds", { resource })).holds.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return isFree(resource);
  };
  const versionsOf = async (model: string) =>
    (await running.registry.unary("ListVersions", { parent: `models/${model}` })).versions;

  it("tries a grid on a single worker, registers the best once, moves the alias, and shows what each reached", async () => {
    const name = await submit("grid", {
      base: { targetAlias: "canary" },
      parameters: [rates(1e-9, 0.05), { field: "batch_size", values: { json: ["4"] } }],
      grid: {},
      parallelTrials: 2,
    });
    const job = await running.ended(name);
    expect(job).to.include({ state: "STATE_SUCCEEDED", version: "models/grid/versions/1" });
    expect(job.promotion).to.include({ moved: true });
    const metrics = job.leaderboard.map(({ metric }) => metric!);
    expect(metrics)
      .to.have.length(2)
      .and.deep.equal(metrics.toSorted((a, b) => a - b));
    expect(job.leaderboard.map(({ state }) => state)).to.deep.equal(Array(2).fill("succeeded"));
    const [best] = job.leaderboard;
    expect(job.metrics.validation_loss).to.equal(best!.metric);
    const [version, ...others] = await versionsOf("grid");
    expect(others).to.deep.equal([]);
    expect(version!.lineage!.job).to.equal(best!.job);
    expect(version!.lineage!.hyperParameters).to.include({
      "optimizer.learning_rate": best!.parameters["optimizer.adam.learning_rate"],
      batch_size: best!.parameters.batch_size,
    });
    const trials = await jobsOf(name);
    expect(trials.map((trial) => trial.name)).to.have.members(job.leaderboard.map((trial) => trial.job));
    for (const trial of trials) expect(trial).to.include({ state: "STATE_SUCCEEDED", version: "" });
  });

  it("halves: only the better ones of the trials come to all epochs, and it is told why", async () => {
    const name = await submit("halved", {
      base: { epochs: 2, schedule: { cosine: {} } },
      parameters: [
        { field: "optimizer.adam.learning_rate", between: { low: 1e-6, high: 0.1, logarithmic: true } },
        { field: "batch_size", between: { low: 4, high: 16, whole: true } },
      ],
      asha: { trialCount: 3, reduction: 2 },
      metric: "validation_accuracy",
      parallelTrials: 3,
    });
    const job = await running.ended(name);
    expect(job).to.include({ state: "STATE_SUCCEEDED", version: "models/halved/versions/1" });
    expect(job.leaderboard).to.have.length(3);
    const epochs = job.leaderboard.map((trial) => trial.epochs);
    expect(epochs[0]).to.equal(2);
    expect(epochs).to.include(1);
    for (const trial of job.leaderboard) {
      expect(trial.state).to.equal(trial.epochs === 2 ? "succeeded" : "ended_early");
    }
    expect(job.metrics).to.include({ epochs: 2, validation_accuracy: job.leaderboard[0]!.metric });
    expect((await linesOf(name)).join("\n")).to.match(
      /trial \d has a validation_accuracy of \S+ after 2 epochs, the best/,
    );

    // The best one was not trained again: it went on behind its first epoch, and has the weights of a training of both.
    const best = await get(job.leaderboard[0]!.job);
    expect((await linesOf(best.name)).join("\n")).to.match(/resumed from step \d+$/m);
    const whole = await running.ended(await running.submit({ ...best.train!, model: "models/whole" }));
    const modelOf = async (version: string) =>
      (await running.registry.unary("GetVersion", { name: version })).variants[0]!.artifact;
    expect(await modelOf(job.version)).to.equal(await modelOf(whole.version));
    const checkpoints = (await jobsOf(name)).flatMap(({ checkpoint }) => (checkpoint ? [checkpoint.artifact] : []));
    expect(checkpoints).to.have.length.at.least(3);
    for (const artifact of checkpoints) await isFree(artifact);
  });

  it("goes on without the trials that fail, and fails itself where all of them do", async () => {
    const wide = {
      dataset: await running.uploadDataset(
        Array.from({ length: 16 }, (_, i) => `${i * 1e6},${i},${i * 1e6}`).join("\n"),
      ),
      layers: [{ linear: { inputSize: 2, outputSize: 1 } }],
      loss: "LOSS_MEAN_SQUARED_ERROR" as const,
      validationShare: 0,
    };
    const diverging = (model: string, ...rates: string[]) =>
      submit(model, {
        base: { ...wide, optimizer: { sgd: { learningRate: 1 } } },
        parameters: [{ field: "optimizer.sgd.learning_rate", values: { json: rates } }],
        metric: "training_loss",
        grid: {},
      });
    const some = await running.ended(await diverging("some", "1e30", "1e-20"));
    expect(some).to.include({ state: "STATE_SUCCEEDED", version: "models/some/versions/1" });
    expect(some.leaderboard.map(({ state }) => state)).to.deep.equal(["succeeded", "failed"]);
    const none = await running.ended(await diverging("none", "1e30"));
    expect(none.error).to.include({ reason: "TRIALS_FAILED" });
    expect(none.error!.message).to.contain("none of 1 trials succeeded");
  });

  it("pauses, goes on and is cancelled with its trials, of which there are never more at a time than it may have", async () => {
    const name = await submit("steered", {
      base: { epochs: 1_000_000 },
      parameters: [rates(0.1, 0.2, 0.3)],
      grid: {},
      parallelTrials: 2,
    });
    await hasBegun(name, 2);
    await running.trainer.unary("PauseJob", { name });
    const states = async () => (await jobsOf(name)).map(({ state }) => state);
    expect(await states()).to.deep.equal(["STATE_PAUSED", "STATE_PAUSED"]);
    await running.trainer.unary("ResumeJob", { name });
    expect(await states()).not.to.include("STATE_PAUSED");
    await running.trainer.unary("UpdateJobPriority", { name, priority: 7 });
    expect((await jobsOf(name)).map(({ priority }) => priority)).to.deep.equal([7, 7]);
    await running.trainer.unary("CancelJob", { name });
    expect(await states()).to.deep.equal(["STATE_CANCELLED", "STATE_CANCELLED"]);
    expect((await get(name)).state).to.equal("STATE_CANCELLED");
  });

  describe("is refused", () => {
    for (const [what, sweep, text] of [
      [
        "with a value that the network does not take",
        { parameters: [rates(0.1, -1)], grid: {} },
        "learning_rate is -1",
      ],
      [
        "with a metric that is not measured",
        { parameters: [rates(0.1)], grid: {}, metric: "validation_mae" },
        "metric is validation_mae",
      ],
      [
        "with the metric of rows that are not held out",
        { base: { validationShare: 0 }, parameters: [rates(0.1)], grid: {} },
        "metric is validation_loss; needed: one of training_loss",
      ],
    ] as const) {
      it(what, async () => {
        const refused = await submit("refused", sweep as unknown as SweepSpec).then(
          () => expect.fail("it was accepted"),
          remoteFaultOf,
        );
        expect(refused).to.include({ code: status.INVALID_ARGUMENT, reason: "SPEC_INVALID" });
        expect(refused.message).to.contain(text);
      });
    }
  });

  it("goes on where the trainer that led it was killed: each trial is one job, and the best becomes one version", async () => {
    await running.stopTrainers();
    const first = await running.spawnTrainer();
    running.connect(first.port);
    const name = await submit("killed", {
      base: { epochs: 300, checkpoints: { everySteps: 100 } },
      parameters: [rates(0.01, 0.02)],
      grid: {},
    });
    await hasBegun(name, 2);
    await first.kill();
    spawned = await running.spawnTrainer();
    running.connect(spawned.port);
    const job = await running.ended(name);
    expect(job).to.include({ state: "STATE_SUCCEEDED", version: "models/killed/versions/1", attempts: 2 });
    expect(job.leaderboard.map(({ state }) => state)).to.deep.equal(Array(2).fill("succeeded"));
    expect((await jobsOf(name)).map((trial) => trial.name)).to.have.members(job.leaderboard.map((trial) => trial.job));
    expect(await versionsOf("killed")).to.have.length(1);
  });
});
