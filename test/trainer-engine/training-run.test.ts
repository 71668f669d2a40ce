import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { readModel } from "../../lib/onnx/model.ts";
import { signatureOf } from "../../lib/onnx/signature.ts";
import { splitRows } from "../../lib/split.ts";
import { RowOrder } from "../../services/trainer/datasets/rows/row-order.ts";
import type { MemoryEstimate } from "../../services/trainer/engine/memory-estimate.ts";
import { openSession } from "../../services/trainer/engine/runtime.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import { counterOf } from "../../services/trainer/metrics/counter-of.ts";
import type { MetricName } from "../../services/trainer/metrics/metric-counter.ts";
import { clusters } from "./clusters.ts";
import { trainOn } from "./train-on.ts";

const plan = {
  network: {
    kind: "layers",
    layers: [
      { kind: "linear", inputSize: 6, outputSize: 16 },
      { kind: "relu" },
      { kind: "linear", inputSize: 16, outputSize: 3 },
      { kind: "softmax" },
    ],
  },
  loss: { kind: "cross_entropy" },
  optimizer: { kind: "adam", learningRate: 0.01 },
  epochCount: 5,
  batchRows: 16,
  seed: 3,
  validationShare: 0.25,
  threadCount: 1,
} as const satisfies TrainingPlan;
const data = clusters(100);
const endless: TrainingPlan = { ...plan, epochCount: 1_000_000 };

describe("a training run", () => {
  it("gives the same model, bit for bit, for the same plan and data", async () => {
    const [first, second] = [await trainOn(plan, data), await trainOn(plan, data)];
    expect(Buffer.compare(first.model, second.model)).to.equal(0);
  });

  it("gives another model for another seed", async () => {
    const [first, second] = [await trainOn(plan, data), await trainOn({ ...plan, seed: 4 }, data)];
    expect(Buffer.compare(first.model, second.model)).to.not.equal(0);
  });

  it("gives a model whose batch axis is free and whose weights have PyTorch's names and shapes", async () => {
    const { model, parameterCount } = await trainOn(plan, data);
    const read = readModel(model);
    expect(signatureOf(read)).to.deep.equal({
      inputs: [{ name: "input", dataType: "FP32", shape: ["batch", 6] }],
      outputs: [{ name: "output", dataType: "FP32", shape: ["batch", 3] }],
    });
    const weights = read.graph?.initializer?.map(({ name, dims }) => `${name} ${dims?.join()}`);
    expect(weights).to.deep.equal([
      "layers.0.weight 16,6",
      "layers.0.bias 16",
      "layers.2.weight 3,16",
      "layers.2.bias 3",
    ]);
    expect(read.graph?.node?.map(({ opType }) => opType)).to.deep.equal(["Gemm", "Relu", "Gemm", "Softmax"]);
    expect(parameterCount).to.equal(163);
  });

  it("holds out the rows that splitRows says, and measures the model that it gives", async () => {
    const { model, metrics, confusion } = await trainOn(plan, data);
    const { validation } = splitRows(data.rowCount, plan.validationShare, plan.seed);
    const session = await openSession(model, 1);
    let [correctCount, lossSum] = [0, 0];
    const counter = counterOf(plan.loss, [3], "probabilities");
    for (const row of validation) {
      const elements = Float32Array.from(data.features.slice(row * 6, row * 6 + 6));
      const { output } = await session.run({ input: { dataType: "FP32", shape: [1, 6], elements } });
      const probabilities = Array.from(output.elements);
      counter.add(output!.elements as Float32Array, data.targets.slice(row, row + 1));
      correctCount += probabilities.indexOf(Math.max(...probabilities)) === data.targets[row] ? 1 : 0;
      lossSum -= Math.log(probabilities[data.targets[row]]);
    }
    await session.release();
    expect(metrics.validationRows).to.equal(validation.length).and.to.equal(25);
    expect(metrics.validationAccuracy).to.be.closeTo(correctCount / validation.length, 1e-9);
    expect(metrics.validationLoss).to.be.closeTo(lossSum / validation.length, 1e-4);
    const { values, confusion: counted } = counter.measured();
    expect(confusion).to.deep.equal(counted);
    expect(metrics.metrics).to.have.all.keys("accuracy", "f1", "auc", "log_loss");
    for (const [name, value] of Object.entries(values)) {
      expect(metrics.metrics?.[name as MetricName], name).to.be.closeTo(value, 1e-4);
    }
  });

  it("reports every epoch in order, and learns from the smaller batch at an epoch's end", async () => {
    const epochs = await reported(plan);
    expect(epochs.map(({ epoch }) => epoch)).to.deep.equal([1, 2, 3, 4, 5]);
    // 75 rows are four batches of 16 and one of 11.
    expect(epochs.map(({ step }) => step)).to.deep.equal([5, 10, 15, 20, 25]);
    expect(epochs.map(({ stepCount }) => stepCount)).to.deep.equal([25, 25, 25, 25, 25]);
    expect(epochs[4].trainingLoss).to.be.below(epochs[0].trainingLoss);
    expect(epochs[4].validationAccuracy).to.be.above(0.9);
  });

  it("reports no validation where no rows are held out, and no accuracy for numbers", async () => {
    const network = { kind: "layers", layers: [{ kind: "linear", inputSize: 6, outputSize: 2 }] } as const;
    const targets = Float32Array.from({ length: 200 }, (_, index) => index / 200);
    const regression = { ...plan, network, loss: { kind: "mse" }, validationShare: 0 } as const;
    const { metrics } = await trainOn(regression, { ...data, targets });
    expect(metrics).to.include({ trainingRows: 100, validationRows: 0, epochCount: 5, stepCount: 35 });
    expect(metrics).to.not.have.any.keys("trainingAccuracy", "validationAccuracy", "validationLoss");
  });

  it("takes data in shared memory", async () => {
    const shared = new Float32Array(new SharedArrayBuffer(data.features.byteLength));
    shared.set(data.features);
    const [first, second] = [await trainOn(plan, data), await trainOn(plan, { ...data, features: shared })];
    expect(Buffer.compare(first.model, second.model)).to.equal(0);
  });

  it("learns each of the activations", async () => {
    for (const kind of ["relu", "tanh", "sigmoid"] as const) {
      const layers = plan.network.layers.map((layer) => (layer.kind === "relu" ? { kind } : layer));
      const { metrics } = await trainOn({ ...plan, network: { kind: "layers", layers }, epochCount: 30 }, data);
      expect(metrics.trainingAccuracy, kind).to.be.above(0.95);
    }
  });

  for (const optimizer of [
    { kind: "sgd", learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
    { kind: "adamw", learningRate: 0.01 },
    { kind: "rmsprop", learningRate: 0.01, centered: true, momentum: 0.5 },
    { kind: "adagrad", learningRate: 0.1 },
  ] as const) {
    it(`learns by ${optimizer.kind}`, async () => {
      const { metrics } = await trainOn({ ...plan, optimizer, epochCount: 30 }, data);
      expect(metrics.trainingAccuracy).to.be.above(0.95);
    });
  }

  it("moves by the rate that the schedule gives each step, over all calls of the runtime", async () => {
    const still = { ...plan, schedule: { kind: "step", everySteps: 5, factor: 1e-30 } } as const;
    const [one, five] = [await trainOn({ ...still, epochCount: 1 }, data), await trainOn(still, data)];
    // The five steps of the first epoch are all that move anything.
    expect(Buffer.compare(one.model, five.model)).to.equal(0);
    const constant = await trainOn({ ...plan, epochCount: 1 }, data);
    expect(Buffer.compare(one.model, constant.model)).to.equal(0);
  });

  it("stops at the first loss that is not finite, and says where", async () => {
    const wild: TrainingPlan = { ...plan, optimizer: { kind: "sgd", learningRate: 1e30 } };
    const failure = await rejection(trainOn(wild, data));
    expect(failure).to.be.instanceOf(ServiceError).with.property("reason", "TRAINING_DIVERGED");
    expect((failure as Error).message).to.match(
      /the loss is \S+ at step \d+, batch \d+ of 5 in epoch 1; a learning rate below 1e\+30/,
    );
  });

  it("stops at the very batch whose loss is not finite, and tells its place", async () => {
    const network = { kind: "layers", layers: [{ kind: "linear", inputSize: 6, outputSize: 3 }] } as const;
    const regression: TrainingPlan = { ...plan, network, loss: { kind: "mse" } };
    const { training } = splitRows(data.rowCount, plan.validationShare, plan.seed);
    const order = new RowOrder(training.length, 4 * (6 + 3), { seed: plan.seed, epoch: 1 });
    const rows = order.placesIn(0).map((at) => training[at]);
    for (const place of [0, 40, 74]) {
      const targets = new Float32Array(300);
      // A number as any other, but its square overflows.
      targets[3 * rows[place]] = 3e38;
      const batch = Math.floor(place / plan.batchRows) + 1;
      const failure = (await rejection(trainOn(regression, { ...data, targets }))) as ServiceError;
      expect(failure.reason).to.equal("TRAINING_DIVERGED");
      expect(failure.metadata).to.deep.equal({ epoch: "1", step: String(batch), batch: String(batch) });
      expect(failure.message).to.match(
        new RegExp(`the loss is Infinity at step ${batch}, batch ${batch} of 5 in epoch 1;`),
      );
    }
  });

  it("refuses a label out of range before it starts, by row and value", async () => {
    const heard: string[] = [];
    const hooks = { onStart: () => heard.push("start"), onProgress: () => heard.push("progress") };
    const targets = Int32Array.from(data.targets).fill(7, 41, 42);
    const failure = (await rejection(trainOn(plan, { ...data, targets }, hooks))) as ServiceError;
    expect(failure.reason).to.equal("DATASET_INVALID");
    expect(failure.message).to.equal("the label of row 41 is 7; needed: a class index in [0, 2]");
    expect(heard).to.deep.equal([]);
  });

  it("tells before its first step what memory it will take", async () => {
    const heard: (string | number)[] = [];
    const onStart = ({ totalBytes }: MemoryEstimate) => heard.push(totalBytes);
    const onProgress = ({ kind }: TrainingProgress) => heard.push(kind);
    const { metrics } = await trainOn({ ...plan, epochCount: 1 }, data, { onStart, onProgress });
    // On a busy machine a step is told too.
    expect(heard.filter((each) => each !== "step")).to.deep.equal([metrics.memoryEstimateBytes, "epoch"]);
    expect(heard[0]).to.equal(metrics.memoryEstimateBytes);
  });

  it("refuses what is estimated to take more memory than there may be, before its first step", async () => {
    const failure = await rejection(trainOn({ ...plan, memoryBytesMax: 1e6 }, data));
    expect(failure).to.be.instanceOf(ServiceError).with.property("reason", "SPEC_INVALID");
    const words =
      /^the training is one that takes about \d{9} bytes of memory; needed: at most 1000000, limits.memory_bytes or AMAAS_TRAINER_/;
    expect((failure as Error).message).to.match(words);
  });

  it("refuses a plan that cannot be trained before it starts", async () => {
    const failure = await rejection(trainOn({ ...plan, epochCount: 0 }, data));
    expect(failure).to.be.instanceOf(ServiceError).with.property("reason", "SPEC_INVALID");
  });

  it("ends with the signal's reason when it is aborted, before or while it runs", async () => {
    const stopped = new Error("enough");
    expect(await rejection(trainOn(endless, data, { signal: AbortSignal.abort(stopped) }))).to.equal(stopped);
    const stopping = new AbortController();
    const onProgress = () => stopping.abort(stopped);
    expect(await rejection(trainOn(endless, data, { signal: stopping.signal, onProgress }))).to.equal(stopped);
  });

  it("ends with what onProgress throws", async () => {
    const broken = new Error("no room for progress");
    const onProgress = () => {
      throw broken;
    };
    expect(await rejection(trainOn(endless, data, { onProgress }))).to.equal(broken);
  });
});

async function reported(given: TrainingPlan): Promise<TrainingProgress[]> {
  const all: TrainingProgress[] = [];
  await trainOn(given, data, { onProgress: (progress) => all.push(progress) });
  return all.filter(({ kind }) => kind === "epoch");
}

async function rejection(run: Promise<unknown>): Promise<unknown> {
  return run.then(
    () => expect.fail("the run ended well"),
    (failure: unknown) => failure,
  );
}
