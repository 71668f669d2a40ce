import { setImmediate } from "node:timers/promises";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import type { SweepSpec__Output } from "../../lib/gen/amaas/trainer/v1/SweepSpec.ts";
import { createLog } from "../../lib/log.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import type { Catalogue } from "../../services/trainer/catalogue.ts";
import { InitialModels } from "../../services/trainer/initial-models.ts";
import type { JobFolders } from "../../services/trainer/job-folders.ts";
import type { Job } from "../../services/trainer/jobs/job.ts";
import { workOf } from "../../services/trainer/jobs/work.ts";
import type { Running } from "../../services/trainer/queue/job-attempt.ts";
import { afterEnd } from "../../services/trainer/work/after-end.ts";
import { beginPublishing } from "../../services/trainer/work/publish.ts";
import { sweep } from "../../services/trainer/work/sweep/sweep.ts";
import { SweepLead } from "../../services/trainer/work/sweep/sweep-lead.ts";
import { sweepPlanOf } from "../../services/trainer/work/sweep/sweep-plan.ts";
import type { WorkParts } from "../../services/trainer/work/work-rules.ts";
import { PrivateRedis } from "../private-redis.ts";
import { RunningQueue } from "./running-queue.ts";

const type = "amaas.trainer.v1.SweepSpec";
const base = {
  model: "models/a",
  dataset: `artifacts/${"a".repeat(64)}`,
  layers: [{ linear: { inputSize: 2, outputSize: 3 } }],
  loss: "LOSS_CROSS_ENTROPY",
  optimizer: { adam: { learningRate: 0.01 } },
  epochs: 2,
  batchSize: 8,
  validationShare: 0.5,
};
const specOf = (...rates: readonly number[]): SweepSpec__Output => {
  const parameters = [{ field: "optimizer.adam.learning_rate", values: { json: rates.map(String) } }];
  return decodeMessage("trainer", type, encodeMessage("trainer", type, { base, parameters, grid: {} }));
};
const log = createLog("test", "silent");

describe("the lead of a sweep", function () {
  this.timeout(30_000);
  const server = new PrivateRedis();
  let queue: RunningQueue;

  before(() => server.start());
  after(() => server.stop());
  beforeEach(async () => {
    queue = new RunningQueue(server.url);
    await queue.start();
  });
  afterEach(() => queue.stop());

  const parts = () => {
    const catalogue = { release: async () => undefined };
    const { store, changes } = queue;
    return { store, changes, queue: queue.queue, clock: systemClock, catalogue } as unknown as WorkParts;
  };
  const begun = async (spec: SweepSpec__Output): Promise<Running> => {
    const { id } = await queue.store.create({ work: { kind: "sweep", spec }, priority: 0, requestId: "r" }, "");
    await queue.store.move(id, ["PENDING"], "RUNNING", { attempts: 1 });
    return {
      job: await queue.store.get(id),
      signal: new AbortController().signal,
      ranMs: () => 0,
      log,
      tell: () => undefined,
    };
  };
  /** The trials of a sweep once there are so many. */
  const trialsOf = async (id: string, count: number): Promise<NonNullable<Job["trials"]>> => {
    const { trials = [] } = await queue.store.get(id);
    if (trials.length >= count) return trials;
    await setImmediate();
    return trialsOf(id, count);
  };
  const stateOf = async (id: string) => (await queue.store.get(id)).state;

  it("takes a trial whose metric is no finite number for one that has failed", async () => {
    const spec = specOf(0.1, 0.2);
    const running = await begun(spec);
    const best = new SweepLead(parts(), running, sweepPlanOf(spec)).bestTrial();
    const trials = await trialsOf(running.job.id, 2);
    for (const [index, validation_loss] of [NaN, 0.5].entries()) {
      const offer = { model: `m${index}`, facts: "f" };
      await queue.store.move(trials[index]!.job, ["PENDING"], "SUCCEEDED", { metrics: { validation_loss }, offer });
    }
    expect((await best).offer.model).to.equal("m1");
    const states = (await trialsOf(running.job.id, 2)).map(({ state }) => state);
    expect(states).to.deep.equal(["failed", "succeeded"]);
  });

  it("ends the trials of a sweep that has ended before it was told to stop", async () => {
    const spec = specOf(0.1, 0.2);
    const running = await begun(spec);
    const outcome = new SweepLead(parts(), running, sweepPlanOf(spec)).bestTrial().catch((failure) => failure.reason);
    const trials = await trialsOf(running.job.id, 2);
    await queue.store.move(running.job.id, ["RUNNING"], "CANCELLED");
    await queue.store.move(trials[0]!.job, ["PENDING"], "SUCCEEDED", { metrics: { validation_loss: 1 } });
    expect(await outcome).to.equal("CANCELLED");
    expect(await stateOf(trials[1]!.job)).to.equal("CANCELLED");
  });

  it("leaves no trial that goes on when its sweep has failed", async () => {
    const { job } = await begun(specOf(0.1));
    const trial = await queue.submit();
    const trials = [{ job: trial.id, parameters: {}, scores: [], epochs: 2, state: "running" }] as const;
    await queue.store.move(job.id, ["RUNNING"], "FAILED", { trials });
    const released: string[] = [];
    const holds = { release: ({ id }: { id: string }) => released.push(id) };
    afterEnd({ store: queue.store, queue: queue.queue, holds, log }, await queue.store.get(job.id));
    await queue.reaches(trial.id, "CANCELLED");
    expect(released).to.deep.equal([job.id]);
  });

  it("keeps what it has tried, and registers, also where it was paused and resumed unseen", async () => {
    const running = await begun(specOf(0.1));
    const { id } = running.job;
    await queue.store.move(id, ["RUNNING"], "PAUSED");
    expect(await queue.store.keepTrials(running.job, [])).to.equal(false);
    await queue.store.move(id, ["PAUSED"], "PENDING");
    expect(await queue.store.keepTrials(running.job, [])).to.equal(true);
    await beginPublishing(parts(), running);
    expect(await stateOf(id)).to.equal("REGISTERING");
  });
});

describe("a sweep that comes in", () => {
  it("lets others be answered between its values", async () => {
    let turns = 0;
    let isOver = false;
    const catalogue = { checkDataset: async () => undefined } as unknown as Catalogue;
    const initialModels = new InitialModels(catalogue, {} as JobFolders, { countMax: 1, waitingMax: 1 });
    const others = (async () => {
      for (; !isOver; turns++) await setImmediate();
    })();
    const compute = { threadCount: 1, device: "cpu" } as const;
    const spec = specOf(...Array.from({ length: 20 }, (_, i) => (i + 1) / 100));
    await sweep.check(spec, { catalogue, compute, initialModels } as WorkParts, { requestId: "r" });
    isOver = true;
    await others;
    expect(turns).to.be.at.least(20);
  });

  it("is refused above 1 MiB, with its size", () => {
    const spec = specOf(0.1);
    expect(workOf({ work: "sweep", sweep: spec })).to.deep.equal({ kind: "sweep", spec });
    const large = { ...spec, base: { ...spec.base!, frozen: ["x".repeat(1024 ** 2)] } };
    expect(() => workOf({ work: "sweep", sweep: large })).to.throw(
      /^job\.sweep is 10\d{5} bytes; needed: at most 1048576 bytes$/,
    );
  });
});
