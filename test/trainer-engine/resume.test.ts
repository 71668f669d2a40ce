import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { readCheckpoint, writeCheckpoint } from "../../services/trainer/engine/checkpoint-file.ts";
import { Checkpoints, type KeptCheckpoint } from "../../services/trainer/engine/checkpoints.ts";
import { EpochRecord } from "../../services/trainer/engine/epoch-record.ts";
import { nothingMeasured } from "../../services/trainer/engine/measured.ts";
import { Training, type TrainingHooks } from "../../services/trainer/engine/training.ts";
import type { TrainingOutcome } from "../../services/trainer/engine/training-figures.ts";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import type { TrainingState } from "../../services/trainer/engine/training-state.ts";
import { clusters } from "./clusters.ts";
import { trainOn } from "./train-on.ts";

const data = clusters(100);
const linear = (outputSize: number) => ({ kind: "linear", outputSize }) as const;
const plan = {
  network: {
    kind: "layers",
    inputShape: [6],
    layers: [linear(16), { kind: "batch_norm" }, { kind: "relu" }, { kind: "dropout", ratio: 0.3 }, linear(3)],
  },
  loss: { kind: "cross_entropy" },
  optimizer: { kind: "adam", learningRate: 0.01 },
  epochCount: 4,
  batchRows: 16,
  seed: 3,
  validationShare: 0.25,
  threadCount: 1,
} as const satisfies TrainingPlan;
/** 75 rows to learn from are four batches of 16 and one of 11. */
const stepCount = 20;

/** Plans whose state has parts of its own. */
const plans: Readonly<Record<string, TrainingPlan>> = {
  "adam, dropout and batch statistics": plan,
  "sgd with momentum and a schedule": {
    ...plan,
    optimizer: { kind: "sgd", learningRate: 0.1, momentum: 0.9, nesterov: true },
    schedule: { kind: "cosine", warmUpSteps: 3 },
  },
  "rmsprop and averages": {
    ...plan,
    optimizer: { kind: "rmsprop", learningRate: 0.01, centered: true, momentum: 0.5 },
    averageDecay: 0.9,
  },
  "adagrad, batches in parts and a frozen parameter": {
    ...plan,
    optimizer: { kind: "adagrad", learningRate: 0.1, rateDecay: 0.01 },
    accumulatedParts: 4,
    frozen: ["layers.0.bias"],
  },
  "rows that threads share": {
    ...plan,
    network: {
      kind: "layers",
      inputShape: [1, 6],
      layers: [
        { kind: "conv", outputChannels: 4096, kernel: [3], padding: [1] },
        ...([{ kind: "relu" }, { kind: "global_average_pool" }, { kind: "dropout", ratio: 0.3 }, linear(3)] as const),
      ],
    },
    clip: { norm: 1 },
    threadCount: 2,
  },
  "adamw, the best epoch and an early stop": {
    ...plan,
    optimizer: { kind: "adamw", learningRate: 0.3 },
    epochCount: 8,
    keepBest: true,
    earlyStopping: { metric: "validation_loss", patienceEpochs: 2, leastChange: 0 },
  },
};

describe("a training that goes on from a checkpoint", function () {
  this.timeout(60_000);
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-resume-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Trains until a step, or to the end where that comes before; tells what was kept there. */
  const until = async (given: TrainingPlan, step: number, resumed?: TrainingState) => {
    let kept: KeptCheckpoint | undefined;
    const wish = () => (kept === undefined ? "go on" : "stop");
    const onCheckpoint = (checkpoint: KeptCheckpoint) => {
      kept = checkpoint;
    };
    await training(given, { wish, onCheckpoint }).run({ folder, everySteps: step }, resumed);
    return kept && readCheckpoint(kept.path);
  };

  /** Trains to the first of some steps, goes on from there to the next one, and so on, and to the end. */
  const interrupted = async (given: TrainingPlan, steps: readonly number[]) => {
    let state: TrainingState | undefined;
    for (const step of steps) state = (await until(given, step, state)) ?? state;
    return (await training(given).run(undefined, state)) as TrainingOutcome;
  };

  for (const [name, given] of Object.entries(plans)) {
    it(`ends with the weights and figures of one that was not interrupted, bit for bit: ${name}`, async () => {
      const whole = (await training(given).run()) as TrainingOutcome;
      const stops = fc.uniqueArray(fc.integer({ min: 1, max: stepCount - 1 }), { minLength: 1, maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(stops, async (places) => {
          const other = await interrupted(
            given,
            places.sort((a, b) => a - b),
          );
          expect(Buffer.compare(other.model, whole.model)).to.equal(0);
          expect(figuresOf(other)).to.deep.equal(figuresOf(whole));
        }),
        // Threads take their time to start.
        { numRuns: given.threadCount === 1 ? 5 : 1 },
      );
    });
  }

  for (const name of ["sgd with momentum and a schedule", "adamw, the best epoch and an early stop"]) {
    it(`comes to more epochs as if there had been no end before: ${name}`, async () => {
      const given = { ...plans[name]!, epochCount: 6 };
      const whole = (await training(given).run()) as TrainingOutcome;
      let kept: KeptCheckpoint | undefined;
      const onCheckpoint = (checkpoint: KeptCheckpoint) => {
        kept = checkpoint;
      };
      for (const epochCount of [2, 3]) {
        const part = { ...given, epochCount, scheduledEpochs: 6 };
        await training(part, { onCheckpoint }).run({ folder, last: true }, kept && readCheckpoint(kept.path));
        expect(kept?.step).to.equal(epochCount * 5);
      }
      const last = (await training(given).run(undefined, readCheckpoint(kept!.path))) as TrainingOutcome;
      expect(Buffer.compare(last.model, whole.model)).to.equal(0);
      // Earlier epochs were told with the steps that the run had then.
      const figures = ({ metrics, epochs }: TrainingOutcome) =>
        figuresOf({ ...whole, metrics, epochs: epochs.map((epoch) => ({ ...epoch, stepCount: 0 })) });
      expect(figures(last)).to.deep.equal(figures(whole));
    });
  }

  it("is asked to stop for a while, and goes on from there", async () => {
    const pausing = new AbortController();
    const kept: KeptCheckpoint[] = [];
    const onProgress = () => pausing.abort(new Error("for a while"));
    const onCheckpoint = (checkpoint: KeptCheckpoint) => kept.push(checkpoint);
    const endless = { ...plan, epochCount: 100_000 };
    const options = { checkpoints: { folder }, onCheckpoint, onProgress, pause: pausing.signal };
    const failure = await trainOn(endless, data, options).catch((thrown: unknown) => thrown);
    expect(failure).to.equal(pausing.signal.reason);
    expect(kept).to.have.length(1);
    expect(kept[0]!.step).to.be.above(0);
    const resumed: (number | string | undefined)[] = [];
    const enough = new AbortController();
    const again = { onResume: (...heard: typeof resumed) => resumed.push(...heard), onProgress: () => enough.abort() };
    await trainOn(endless, data, { ...again, resumeFrom: kept[0]!.path, signal: enough.signal }).catch(() => undefined);
    expect(resumed).to.deep.equal([kept[0]!.step, undefined]);
  });

  it("begins at the beginning where the file is none of its checkpoints, and tells why", async () => {
    const broken = join(folder, "broken");
    await writeFile(broken, "no checkpoint");
    const other = await until({ ...plan, network: { ...plan.network, layers: [linear(3)] } }, 3);
    const others = join(folder, "others");
    writeCheckpoint(others, other!);
    const whole = await trainOn(plan, data);
    for (const [resumeFrom, why] of [
      [broken, /a checkpoint/],
      [others, /one of this training/],
      [join(folder, "nowhere"), /ENOENT/],
    ] as const) {
      const heard: unknown[] = [];
      const outcome = await trainOn(plan, data, { resumeFrom, onResume: (...told) => heard.push(...told) });
      expect(heard[0]).to.equal(0);
      expect(heard[1]).to.match(why);
      expect(Buffer.compare(outcome.model, whole.model)).to.equal(0);
    }
  });

  it("goes on with another number of threads, or by another release, and tells that", async () => {
    const kept: string[] = [];
    const onCheckpoint = ({ path }: KeptCheckpoint) => kept.push(path);
    await trainOn(plan, data, { checkpoints: { folder, everySteps: 7 }, onCheckpoint });
    const heard: unknown[] = [];
    const resumeFrom = kept[0]!;
    const onResume = (step: number, why?: string) => heard.push([step, why]);
    await trainOn(plan, data, { resumeFrom, onResume });
    await trainOn({ ...plan, threadCount: 2 }, data, { resumeFrom, onResume });
    writeCheckpoint(resumeFrom, { ...readCheckpoint(resumeFrom), suite: "0.0.1" });
    await trainOn(plan, data, { resumeFrom, onResume });
    expect(heard.slice(0, 2)).to.deep.equal([
      [7, undefined],
      [7, "with 2 threads instead of 1: the last bits may differ"],
    ]);
    expect(String(heard[2])).to.match(/^7,by version \S+ instead of 0\.0\.1: the last bits may differ$/);
  });

  it("is kept whenever so much time has passed", async () => {
    const kept: number[] = [];
    const onCheckpoint = ({ step }: KeptCheckpoint) => kept.push(step);
    await trainOn({ ...plan, epochCount: 50 }, data, { checkpoints: { folder, everyMs: 1 }, onCheckpoint });
    expect(kept.length).to.be.above(2);
    expect(kept).to.deep.equal([...new Set(kept)].sort((a, b) => a - b));
  });

  it("is written once a step, since the file before may be on its way", async () => {
    const [kept, lost]: [number[], string[]] = [[], []];
    const hooks = {
      onCheckpoint: ({ step }: KeptCheckpoint) => kept.push(step),
      onCheckpointLost: (why: string) => lost.push(why),
    };
    const state: TrainingState = {
      ...{ stepsDone: 7, epoch: 1, sum: nothingMeasured, tensors: new Map(), bestTensors: new Map() },
      ...{ history: new EpochRecord({}).history, learnedMs: 1, waitedMs: 0, threadCount: 1, suite: "1" },
    };
    const checkpoints = new Checkpoints({ folder: join(folder, "later") }, hooks, 3);
    checkpoints.keep(state);
    await mkdir(join(folder, "later"));
    for (const stepsDone of [7, 7, 8]) checkpoints.keep({ ...state, stepsDone });
    expect(lost, "could not be written").to.have.length(1);
    expect(kept).to.deep.equal([7, 8]);
  });

  it("trains on where a checkpoint cannot be written, and tells why", async () => {
    const lost: string[] = [];
    const checkpoints = { folder: join(folder, "nowhere"), everySteps: 7 };
    const outcome = await trainOn(plan, data, { checkpoints, onCheckpointLost: (why) => lost.push(why) });
    expect(lost).to.have.length(2);
    expect(lost[0]).to.match(/^the state after step 7 cannot be written: ENOENT/);
    expect(outcome.metrics.stepCount).to.equal(stepCount);
  });

  it("stays where the disk is full at the next one, of which nothing is left", async () => {
    const [kept, lost]: [KeptCheckpoint[], string[]] = [[], []];
    const full = join(folder, "full");
    await mkdir(full);
    // Whoever writes to it finds that no space is left.
    await symlink("/dev/full", join(full, "checkpoint-14.part"));
    const onCheckpoint = (checkpoint: KeptCheckpoint) => kept.push(checkpoint);
    const checkpoints = { folder: full, everySteps: 7 };
    await trainOn(plan, data, { checkpoints, onCheckpoint, onCheckpointLost: (why) => lost.push(why) });
    expect(lost).to.have.length(1);
    expect(lost[0]).to.match(/^the state after step 14 cannot be written: ENOSPC/);
    expect(kept.map(({ step }) => step)).to.deep.equal([7]);
    expect(readCheckpoint(kept[0]!.path).stepsDone).to.equal(7);
    expect(await readdir(full)).to.deep.equal(["checkpoint-7"]);
  });
});

/** A run in this thread. */
function training(plan: TrainingPlan, hooks: Partial<TrainingHooks> = {}): Training {
  const none = () => undefined;
  return new Training(plan, preparedInMemory(data, plan.validationShare, plan.seed), {
    ...{ onStart: none, onProgress: none, onCheckpoint: none, onCheckpointLost: none, wish: () => "go on" },
    ...hooks,
  });
}

/** All that a training measures but for time. */
function figuresOf({ metrics, epochs }: TrainingOutcome) {
  const without = ({
    samplesPerSecond: _,
    waitedShare: __,
    ...figures
  }: { [Key in "samplesPerSecond" | "waitedShare"]: number }) => figures;
  return {
    metrics: { ...without(metrics), durationMs: 0 },
    epochs: epochs.map((epoch) => ({ ...without(epoch), etaSeconds: 0 })),
  };
}
