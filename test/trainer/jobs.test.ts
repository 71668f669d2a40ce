import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { Settings } from "../../lib/env.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { createLog } from "../../lib/log.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { readTrainerConfig } from "../../services/trainer/config.ts";
import { workOf } from "../../services/trainer/jobs/work.ts";
import { JobStore } from "../../services/trainer/queue/job-store.ts";
import { openRedis } from "../../services/trainer/queue/redis.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { thirdsSpec } from "./thirds.ts";

describe("the trainer", function () {
  this.timeout(60_000);
  const running = new RunningTrainer();
  let spec: TrainSpec;

  before(async () => {
    await running.start();
    spec = await thirdsSpec(running);
  });
  after(() => running.remove());

  const fault = (call: Promise<unknown>) => call.then(() => expect.fail("the call succeeded"), remoteFaultOf);
  const longJob = () => running.submit({ ...spec, model: "models/long", epochs: 1_000_000 });
  const begun = async (name: string) => {
    for await (const event of running.trainer.serverStream("WatchJob", { name })) if (event.progressed) return;
  };

  it("turns a dataset into a version with metrics and lineage, and moves the alias", async () => {
    const name = await running.submit({ ...spec, targetAlias: "canary" });
    const job = await running.ended(name);
    expect(job).to.include({ state: "STATE_SUCCEEDED", version: "models/thirds/versions/1" });
    expect(job.progress).to.include({ epoch: 3, epochs: 3, step: 12, steps: 12 });
    const version = await running.registry.unary("GetVersion", { name: "models/thirds/versions/canary" });
    expect(version.metrics).to.include({ training_rows: 30, validation_rows: 10, epochs: 3 });
    expect(version.lineage).to.deep.include({ job: name, datasets: [spec.dataset], seed: 5 });
    expect(version.lineage!.hyperParameters).to.include({ "optimizer.learning_rate": "0.01", loss: "cross_entropy" });
  });

  it("measures the rows held out by all metrics of the loss, in the progress and in the version, and writes a model card", async () => {
    const job = await running.ended(await running.submit(spec));
    const version = await running.registry.unary("GetVersion", { name: job.version });
    const { metrics } = job.progress!;
    expect(metrics).to.include.all.keys("accuracy", "f1", "log_loss");
    for (const [name, value] of Object.entries(metrics)) {
      expect(version.metrics[`validation_${name}`], name).to.equal(value);
      expect(job.metrics[`validation_${name}`], name).to.equal(value);
    }
    const headings = version.modelCard.split("\n").filter((line) => line.startsWith("## "));
    expect(headings.map((line) => line.slice(3))).to.deep.equal([
      ...["Metrics", "Losses", "Confusion matrix", "Data", "Split", "Hyper-parameters", "Environment"],
    ]);
    expect(version.modelCard).to.include("<svg ").and.to.include(spec.dataset!);
  });

  it("trains as all of the specification says, and keeps that with the version", async () => {
    const asked = {
      optimizer: { adamw: { learningRate: 0.05, weightDecay: 0.1 } },
      schedule: { cosine: { warmUpSteps: 2 } },
      clip: { norm: 1 },
      averageDecay: 0.5,
      accumulatedParts: 4,
      lossSettings: { labelSmoothing: 0.1, classWeights: [1, 2, 1] },
      groups: [{ parameters: "*.bias", weightDecay: 0 }],
      frozen: ["layers.0.bias"],
      device: "DEVICE_CPU" as const,
    };
    const job = await running.ended(await running.submit({ ...spec, ...asked }));
    expect(job.state).to.equal("STATE_SUCCEEDED");
    const { lineage } = await running.registry.unary("GetVersion", { name: job.version });
    expect(lineage!.hyperParameters).to.include({
      "optimizer.kind": "adamw",
      "optimizer.weight_decay": "0.1",
      schedule: '{"kind":"cosine","warmUpSteps":2,"finalShare":0}',
      clip: '{"norm":1}',
      average_decay: "0.5",
      accumulated_parts: "4",
      "loss.label_smoothing": "0.1",
      "loss.class_weights": "1,2,1",
      frozen: "layers.0.bias",
      device: "cpu",
    });
    expect(lineage!.hyperParameters.groups).to.contain("*.bias");
  });

  it("streams states and progress, numbered without gaps, and replays them from any number", async () => {
    const name = await running.submit(spec);
    const events = await running.events(name);
    expect(events.map(({ sequence }) => sequence)).to.deep.equal(events.map((_, i) => i + 1));
    const states = events.flatMap(({ stateChanged }) => stateChanged?.state ?? []);
    expect([...new Set(states)]).to.deep.equal(["STATE_PENDING", "STATE_RUNNING", "STATE_SUCCEEDED"]);
    const last = events.flatMap(({ progressed }) => progressed ?? []).at(-1)!;
    expect(last).to.include({ epoch: 3, device: "cpu" });
    expect(last.validationAccuracy).to.be.within(0, 1);
    expect(await running.events(name, 2)).to.deep.equal(events.slice(2));
  });

  it("makes one job per request id", async () => {
    const names = await Promise.all(Array.from({ length: 5 }, () => running.submit(spec, "once")));
    expect(new Set(names).size).to.equal(1);
    const refusal = await fault(running.submit({ ...spec, epochs: 7 }, "once"));
    expect(refusal).to.include({ reason: "REQUEST_INVALID" });
    expect(refusal.message).to.match(
      /^request_id "once" has made jobs\/\w+ of another job; needed: the same job, or another/,
    );
    await running.ended(names[0]);
  });

  it("cancels a running job at once, and the next job gets its place", async () => {
    const name = await longJob();
    await begun(name);
    expect((await running.trainer.unary("CancelJob", { name })).state).to.equal("STATE_CANCELLED");
    expect((await running.trainer.unary("CancelJob", { name })).state).to.equal("STATE_CANCELLED");
    expect((await running.ended(await running.submit(spec))).state).to.equal("STATE_SUCCEEDED");
    expect((await running.ended(name)).state).to.equal("STATE_CANCELLED");
  });

  it("cancels a waiting job, and refuses to cancel one that has succeeded", async () => {
    const [first, second] = [await longJob(), await running.submit(spec)];
    expect((await running.trainer.unary("CancelJob", { name: second })).state).to.equal("STATE_CANCELLED");
    await running.trainer.unary("CancelJob", { name: first });
    const done = await running.submit(spec);
    await running.ended(done);
    expect(await fault(running.trainer.unary("CancelJob", { name: done }))).to.include({ reason: "JOB_ENDED" });
  });

  it("pauses a running job and a waiting one, and ends them when they are resumed", async () => {
    const { trainer } = running;
    const [first, second] = [await running.submit({ ...spec, epochs: 300 }), await running.submit(spec)];
    await begun(first);
    for (const name of [first, second]) {
      expect((await trainer.unary("PauseJob", { name })).state).to.equal("STATE_PAUSED");
      expect((await trainer.unary("PauseJob", { name })).state).to.equal("STATE_PAUSED");
    }
    expect((await running.ended(await running.submit(spec))).state).to.equal("STATE_SUCCEEDED");
    for (const name of [first, second]) {
      expect(await trainer.unary("GetJob", { name })).to.include({ state: "STATE_PAUSED" });
      expect((await trainer.unary("ResumeJob", { name })).state).to.equal("STATE_PENDING");
      expect((await running.ended(name)).state).to.equal("STATE_SUCCEEDED");
    }
    expect((await trainer.unary("GetJob", { name: first })).attempts).to.equal(2);
    for (const call of ["PauseJob", "ResumeJob", "UpdateJobPriority"] as const) {
      expect(await fault(trainer.unary(call, { name: first }))).to.include({ reason: "JOB_ENDED" });
    }
  });

  it("cancels a paused job", async () => {
    const name = await longJob();
    await running.trainer.unary("PauseJob", { name });
    expect((await running.trainer.unary("CancelJob", { name })).state).to.equal("STATE_CANCELLED");
  });

  it("takes another priority for a job that waits", async () => {
    const blocker = await longJob();
    const [first, second] = [await running.submit(spec), await running.submit(spec)];
    expect(await running.trainer.unary("UpdateJobPriority", { name: second, priority: 5 })).to.include({ priority: 5 });
    await running.trainer.unary("CancelJob", { name: blocker });
    const [one, two] = [await running.ended(first), await running.ended(second)];
    expect(Number(two.startTime!.seconds) + two.startTime!.nanos / 1e9).to.be.below(
      Number(one.startTime!.seconds) + one.startTime!.nanos / 1e9,
    );
    const refused = await fault(running.trainer.unary("UpdateJobPriority", { name: first, priority: -1 }));
    expect(refused.message).to.equal("priority is -1; needed: 0 to 1000");
  });

  it("tells watchers what a job waits for", async () => {
    const name = await running.submit({ ...spec, device: "DEVICE_CUDA", limits: { memoryBytes: 1024 ** 3 } });
    for await (const { logged } of running.trainer.serverStream("WatchJob", { name })) {
      if (logged === undefined || logged === null) continue;
      const text = "waits for a worker that has the device cuda and 1073741824 bytes of memory";
      expect(logged).to.deep.equal({ level: "info", text });
      break;
    }
    await running.trainer.unary("CancelJob", { name });
  });

  it("lists jobs newest first, page by page", async () => {
    const all = (await running.trainer.unary("ListJobs", {})).jobs.map(({ name }) => name);
    const paged: string[] = [];
    let pageToken = "";
    do {
      const page = await running.trainer.unary("ListJobs", { pageSize: 2, pageToken });
      expect(page.jobs.length).to.be.at.most(2);
      paged.push(...page.jobs.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(paged).to.deep.equal(all);
  });

  it("waits for a registry that is down, and registers the version once it is back", async () => {
    const name = await running.submit({ ...spec, model: "models/patient", epochs: 300 });
    await begun(name);
    await running.stopRegistry();
    // The second RUNNING says that the training is over and the registration has begun.
    let runningCount = 0;
    for await (const { stateChanged } of running.trainer.serverStream("WatchJob", { name })) {
      if (stateChanged?.state === "STATE_RUNNING" && ++runningCount === 2) break;
    }
    const refused = await fault(running.trainer.unary("CancelJob", { name }));
    expect(refused).to.include({ reason: "JOB_ENDED" });
    expect(refused.message).to.contain("is registering its result");
    await running.startRegistry();
    expect(await running.ended(name)).to.include({ state: "STATE_SUCCEEDED", version: "models/patient/versions/1" });
  });

  it("runs a job that was stored, but not queued before its trainer died", async () => {
    const redis = await openRedis(running.redis.url, "commands", createLog("test", "silent"));
    const { queue } = readTrainerConfig(new Settings({}));
    const work = workOf((await running.trainer.unary("ListJobs", {})).jobs[0]);
    const job = { work, priority: 0, requestId: "r" };
    const { id } = await new JobStore(redis, queue, systemClock).create(job, "");
    redis.disconnect();
    const { service } = await running.startTrainer();
    expect((await running.ended(`jobs/${id}`)).state).to.equal("STATE_SUCCEEDED");
    await service.stop();
  });

  it("gives a running job to another trainer when it shuts down", async () => {
    const { service } = await running.startTrainer();
    const names = [await longJob(), await longJob()];
    await Promise.all(names.map(begun));
    await service.stop();
    const states = await Promise.all(
      names.map(async (name) => (await running.trainer.unary("GetJob", { name })).state),
    );
    expect(states).to.deep.equal(["STATE_RUNNING", "STATE_RUNNING"]);
    for (const name of names) await running.trainer.unary("CancelJob", { name });
    expect((await running.ended(await running.submit(spec))).state).to.equal("STATE_SUCCEEDED");
  });

  for (const call of ["GetJob", "CancelJob"] as const) {
    it(`answers ${call} of an unknown job with NOT_FOUND and of a malformed name with INVALID_ARGUMENT`, async () => {
      expect((await fault(running.trainer.unary(call, { name: "jobs/nothere" }))).code).to.equal(status.NOT_FOUND);
      expect((await fault(running.trainer.unary(call, { name: "nothere" }))).code).to.equal(status.INVALID_ARGUMENT);
    });
  }

  it("refuses to watch from a sequence number that cannot be", async () => {
    const name = await running.submit(spec);
    await running.ended(name);
    const refused = await fault(running.trainer.serverStream("WatchJob", { name, afterSequence: -1 }).next());
    expect(refused).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
  });

  it("keeps a job that a second delivery began to register, and registers it once", async () => {
    const name = await running.submit({ ...spec, model: "models/twice", epochs: 300 });
    await begun(name);
    const redis = await openRedis(running.redis.url, "commands", createLog("test", "silent"));
    const { queue } = readTrainerConfig(new Settings({}));
    await new JobStore(redis, queue, systemClock).move(name.slice("jobs/".length), ["RUNNING"], "REGISTERING");
    redis.disconnect();
    expect(await running.ended(name)).to.include({ state: "STATE_SUCCEEDED", version: "models/twice/versions/1" });
  });

  it("shuts down while Redis is down, and its job goes on elsewhere once it is back", async () => {
    const { service } = await running.startTrainer();
    const names = [await longJob(), await longJob()];
    await Promise.all(names.map(begun));
    await running.redis.kill();
    await service.stop();
    await running.redis.resume();
    const cancel = async (name: string): Promise<unknown> =>
      running.trainer.unary("CancelJob", { name }).catch(() => cancel(name));
    for (const name of names) await cancel(name);
    expect((await running.ended(await running.submit(spec))).state).to.equal("STATE_SUCCEEDED");
  });

  it("answers at once with UNAVAILABLE while Redis is down, and goes on when it is back", async () => {
    await running.redis.kill();
    const refused = await fault(running.trainer.unary("ListJobs", {}));
    expect(refused).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
    await running.redis.resume();
    const back = async (): Promise<string> => running.submit(spec).catch(back);
    expect((await running.ended(await back())).state).to.equal("STATE_SUCCEEDED");
  });
});
