import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { ServiceError } from "../../lib/errors.ts";
import type { TrainSpec__Output } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { readModel } from "../../lib/onnx/model.ts";
import { JobProcess } from "../../services/trainer/job-process/job-process.ts";
import { runTask, type TaskOptions } from "../../services/trainer/job-process/run-task.ts";
import type { TaskNews } from "../../services/trainer/job-process/task-host.ts";
import { childProcesses } from "../child-processes.ts";
import { rows } from "./thirds.ts";

describe("a job's process", function () {
  this.timeout(60_000);
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-job-process-"));
    await writeFile(join(folder, "dataset"), rows);
  });
  after(() => rm(folder, { recursive: true, force: true }));
  afterEach(() => expect(processes(), "processes that were left behind").to.deep.equal([]));

  const processes = () => childProcesses("job-process/main");
  const task = (change: Partial<TrainSpec__Output> = {}, dataset = "dataset") => {
    const compute = { threadCount: 1, device: "cpu" } as const;
    const paths = { dataset: join(folder, dataset), folder, expandedBytesMax: 2 ** 20, checkpoints: { folder } };
    return { kind: "train", spec: { ...spec, ...change }, job: { id: "j" }, ranMs: 0, compute, ...paths } as const;
  };
  const options = (change: Partial<TaskOptions> = {}): TaskOptions => ({
    limits: { memoryBytesMax: 2 ** 34, runTimeMsMax: 600_000, ranMs: 0 },
    processes: { take: (heapBytesMax) => new JobProcess(heapBytesMax) },
    ...{ signal: new AbortController().signal, onNews: () => undefined, clock: systemClock },
    ...change,
  });
  const failure = (run: Promise<unknown>) =>
    run.then(
      () => expect.fail("the task ended well"),
      (thrown: unknown) => thrown as ServiceError,
    );

  it("tells how the training goes, and leaves its model in a file", async () => {
    const heard: TaskNews[] = [];
    const begun = { ...task(), ranMs: 5000 };
    const { modelPath, target, facts } = await runTask(begun, options({ onNews: (news) => heard.push(news) }));
    expect(heard.map(({ kind }) => kind)).to.include.members(["started", "progress"]);
    expect(readModel(await readFile(modelPath)).graph?.node).to.have.length(3);
    expect(target).to.include({ model: "thirds" });
    expect(facts.metrics.duration_seconds, "with the attempts before").to.be.within(5, 60);
  });

  it("fails with what is wrong with the data or the training, and where", async () => {
    await writeFile(join(folder, "bad"), `${rows}\n1,two,0`);
    expect(await failure(runTask(task({}, "bad"), options()))).to.include({ reason: "DATASET_INVALID" });
    const optimizer = { kind: "sgd", sgd: { learningRate: 1e30, momentum: 0, nesterov: false, weightDecay: 0 } };
    const layers = [{ kind: "linear", linear: { inputSize: 2, outputSize: 1 } }];
    const wild = { optimizer, layers, loss: "LOSS_MEAN_SQUARED_ERROR" } as Partial<TrainSpec__Output>;
    const diverged = await failure(runTask(task(wild), options()));
    expect(diverged).to.include({ reason: "TRAINING_DIVERGED" });
    expect(diverged.metadata).to.have.all.keys("epoch", "step", "batch");
  });

  it("is ended where it holds more memory than it may, with what was estimated and what to change", async () => {
    const limits = { memoryBytesMax: 1024 ** 3, runTimeMsMax: 600_000, ranMs: 0 };
    const heard: TaskNews[] = [];
    // A bound that changes stands for a process that grows.
    const onNews = (news: TaskNews) => {
      heard.push(news);
      if (news.kind === "started") limits.memoryBytesMax = 40e6;
    };
    const thrown = await failure(runTask(task({ epochs: 1_000_000 }), options({ limits, onNews })));
    expect(thrown.reason).to.equal("OUT_OF_MEMORY");
    expect(thrown.message).to.match(
      /^the job held \d{8,9} bytes of memory, of at most 40000000; it was estimated to take \d/,
    );
    expect(thrown.message).to.contain("smaller batches");
    expect(Number(thrown.metadata.seen)).to.be.above(40e6);
  });

  it("is ended once it has run for as long as it may, over all attempts", async () => {
    const limits = { memoryBytesMax: 2 ** 34, runTimeMsMax: 3_600_000, ranMs: 3_599_500 };
    const thrown = await failure(runTask(task({ epochs: 1_000_000 }), options({ limits })));
    expect(thrown.reason).to.equal("RUN_TIME_EXCEEDED");
    expect(thrown.message).to.contain("at most 3600 s, over all attempts");
  });

  it("is another worker's to go on with where somebody killed it", async () => {
    const onNews = ({ kind }: TaskNews) => {
      if (kind === "progress") for (const id of processes()) process.kill(id, "SIGKILL");
    };
    const thrown = await failure(runTask(task({ epochs: 1_000_000 }), options({ onNews })));
    expect(thrown).to.be.instanceOf(ServiceError).and.to.include({ reason: "WORKER_LOST", status: "UNAVAILABLE" });
  });

  it("is another worker's to start where the system does not, however that tells", async () => {
    const { execPath } = process;
    try {
      for (const path of ["/nowhere/node", `${execPath}/node`]) {
        process.execPath = path;
        const thrown = await failure(runTask(task(), options()));
        expect(thrown, path).to.include({ reason: "WORKER_LOST" });
        expect(thrown.message).to.match(/^the job's process could not be started: spawn/);
      }
    } finally {
      process.execPath = execPath;
    }
  });

  it("fails the job where it crashed, and tells how", async () => {
    const onNews = ({ kind }: TaskNews) => {
      if (kind === "progress") for (const id of processes()) process.kill(id, "SIGSEGV");
    };
    const thrown = await failure(runTask(task({ epochs: 1_000_000 }), options({ onNews })));
    expect(thrown.reason).to.equal("INTERNAL");
    expect(thrown.message).to.match(/^the job's process ended by SIGSEGV/);
  });

  for (const [reason, isKept] of [
    ["CANCELLED", false],
    ["JOB_PAUSED", true],
  ] as const) {
    it(`ends on ${reason}, ${isKept ? "with" : "without"} a checkpoint`, async () => {
      const over = new AbortController();
      const [stop, kept]: [ServiceError, number[]] = [new ServiceError(reason, "enough"), []];
      const onNews = (news: TaskNews) => {
        if (news.kind === "progress") over.abort(stop);
        if (news.kind === "checkpoint") kept.push(news.checkpoint.step);
      };
      const run = runTask(task({ epochs: 1_000_000 }), options({ signal: over.signal, onNews }));
      expect(await failure(run)).to.equal(stop);
      expect(kept).to.have.length(isKept ? 1 : 0);
    });
  }
});

/** A specification as it comes over the wire. */
const spec = {
  model: "models/thirds",
  dataset: `artifacts/${"ab".repeat(32)}`,
  data: null,
  layers: [{ linear: { inputSize: 2, outputSize: 4 } }, { relu: {} }, { linear: { inputSize: 4, outputSize: 3 } }].map(
    (layer) => ({ kind: Object.keys(layer)[0], ...layer }),
  ),
  loss: "LOSS_CROSS_ENTROPY",
  lossSettings: null,
  optimizer: { kind: "adam", adam: { learningRate: 0.01 } },
  schedule: null,
  epochs: 3,
  batchSize: 8,
  seed: 5,
  validationShare: 0.25,
  targetAlias: "",
  clip: null,
  groups: [],
  frozen: [],
  inputShape: [],
  preset: null,
  initialVersion: "",
  head: null,
  device: "DEVICE_UNSPECIFIED",
  earlyStopping: null,
  keepBest: false,
  checkpoints: null,
  gate: null,
  limits: null,
} as unknown as TrainSpec__Output;
