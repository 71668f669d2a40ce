import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { checkData, checkPlan, type TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import type { Layer } from "../../services/trainer/graph/layers/layer.ts";
import type { TrainingData } from "./training-data.ts";

const linear = (inputSize: number, outputSize: number): Layer => ({ kind: "linear", inputSize, outputSize });
const layers = (...list: Layer[]) => ({ kind: "layers", inputShape: [4], layers: list }) as const;
const plan: TrainingPlan = {
  network: { kind: "layers", layers: [linear(4, 8), { kind: "relu" }, linear(8, 3), { kind: "softmax" }] },
  loss: { kind: "cross_entropy" },
  optimizer: { kind: "adam", learningRate: 0.01 },
  epochCount: 2,
  batchRows: 4,
  seed: 1,
  validationShare: 0.25,
  threadCount: 1,
};
const data: TrainingData = {
  rowCount: 8,
  featureCount: 4,
  features: new Float32Array(32),
  targets: Int32Array.from([0, 1, 2, 0, 1, 2, 0, 1]),
};
const regression: TrainingPlan = { ...plan, network: layers(linear(4, 3)), loss: { kind: "mse" } };
const ofTokens: TrainingPlan = {
  ...plan,
  network: { kind: "gpt", tokenCount: 3, context: 3, width: 4, layerCount: 1, headCount: 2 },
};
const tokens: TrainingData = { rowCount: 2, featureCount: 3, features: new Int32Array(6), targets: new Int32Array(6) };

describe("a training plan", () => {
  it("that fits is accepted, and its sizes are worked out", () => {
    const { input, outputShape, parameters, parameterCount } = checkPlan(plan);
    expect({ input, outputShape, parameterCount }).to.deep.equal({
      input: { dataType: "FP32", rowShape: [4] },
      outputShape: [3],
      parameterCount: 67,
    });
    expect(parameters.map(({ name, shape }) => `${name} ${shape}`)).to.deep.equal([
      "layers.0.weight 8,4",
      "layers.0.bias 8",
      "layers.2.weight 3,8",
      "layers.2.bias 3",
    ]);
  });

  const adam = (fields: object) => ({ optimizer: { kind: "adam", learningRate: 0.01, ...fields } });
  const sgd = (fields: object) => ({ optimizer: { kind: "sgd", learningRate: 0.01, ...fields } });
  const faults: Record<string, [change: object, message: string]> = {
    "no layers": [{ network: layers() }, "layers is a list of 0; needed: 1 to 256 layers"],
    "nothing to learn": [{ network: layers({ kind: "relu" }) }, "the network is one without parameters"],
    "sizes that do not chain": [
      { network: layers(linear(4, 128), { kind: "relu" }, linear(64, 3)) },
      "layers[2].input_size is 64; needed: 128, of rows of the shape [128]",
    ],
    "a size of zero": [
      { network: layers(linear(4, 0)) },
      "layers[0].output_size is 0; needed: a whole number in [1, 16777216]",
    ],
    "half a size": [{ network: layers(linear(1.5, 2)) }, "layers[0].input_size is 1.5"],
    "an unknown layer": [
      { network: layers({ kind: "cnov" } as unknown as Layer) },
      "layers[0].kind is cnov; needed: one of linear, relu",
    ],
    "a layer kind that every object has": [
      { network: layers({ kind: "constructor" } as unknown as Layer) },
      "layers[0].kind is constructor",
    ],
    "too many parameters": [{ network: layers(linear(4, 2 ** 24)) }, "the network is one of 83886080 parameters"],
    "an unknown loss": [
      { loss: { kind: "hinge" } },
      "loss.kind is hinge; needed: one of mse, mae, huber, cross_entropy",
    ],
    "one class": [
      { network: layers(linear(4, 1)) },
      "the last axis of the network's output is 1; needed: at least 2 classes",
    ],
    "an unknown optimizer": [
      { optimizer: { kind: "lion" } },
      "optimizer.kind is lion; needed: one of sgd, adam, adamw, rmsprop, adagrad",
    ],
    "a negative learning rate": [
      adam({ learningRate: -1 }),
      "optimizer.learning_rate is -1; needed: a finite number above 0",
    ],
    "a learning rate of NaN": [sgd({ learningRate: Number.NaN }), "optimizer.learning_rate is NaN"],
    "an infinite learning rate": [sgd({ learningRate: Infinity }), "optimizer.learning_rate is Infinity"],
    "a momentum of 1": [sgd({ momentum: 1 }), "optimizer.momentum is 1; needed: a number in [0, 1)"],
    "a negative beta1": [adam({ beta1: -0.1 }), "optimizer.beta1 is -0.1"],
    "a beta2 of null": [adam({ beta2: null }), "optimizer.beta2 is null"],
    "an epsilon of 0": [adam({ epsilon: 0 }), "optimizer.epsilon is 0; needed: a finite number above 0"],
    "no epochs": [{ epochCount: 0 }, "epochs is 0; needed: a whole number in [1, 1000000]"],
    "an empty batch": [{ batchRows: 0 }, "batch_size is 0; needed: a whole number in [1, 65536]"],
    "parts that no batch has": [{ accumulatedParts: 3 }, "accumulated_parts is 3; needed: a divisor of batch_size, 4"],
    "an early stop by what it does not measure": [
      { earlyStopping: { metric: "training_loss", patienceEpochs: 1, leastChange: 0 } },
      "early_stopping.metric is training_loss; needed: one of validation_loss, validation_accuracy, validation_top5_accuracy",
    ],
    "an early stop without patience": [
      { earlyStopping: { metric: "validation_loss", patienceEpochs: 0, leastChange: 0 } },
      "early_stopping.patience_epochs is 0; needed: a whole number of at least 1",
    ],
    "an early stop by less than nothing": [
      { earlyStopping: { metric: "validation_loss", patienceEpochs: 1, leastChange: -1 } },
      "early_stopping.least_change is -1; needed: a finite number of at least 0",
    ],
    "a negative seed": [{ seed: -1 }, "seed is -1"],
    "no threads": [{ threadCount: 0 }, "thread_count is 0"],
    "all rows held out": [{ validationShare: 1 }, "validation_share is 1; needed: a number in [0, 1)"],
    "a share of NaN": [{ validationShare: Number.NaN }, "validation_share is NaN"],
  };
  for (const [fault, [change, message]] of Object.entries(faults)) {
    it(`with ${fault} is refused`, () => {
      refused(() => checkPlan({ ...plan, ...change } as TrainingPlan), "SPEC_INVALID", message);
    });
  }

  it("with a batch larger than the training rows is refused once the data is known", () => {
    refused(() => fits({ ...plan, batchRows: 7 }, data), "SPEC_INVALID", "batch_size is 7; needed: at most 6");
  });

  it("that judges epochs by rows held out is refused where there are none, and by accuracy where there are no classes", () => {
    const without = { ...plan, validationShare: 0 };
    const earlyStopping = { metric: "validation_accuracy", patienceEpochs: 1, leastChange: 0 } as const;
    refused(
      () => fits({ ...without, earlyStopping }, data),
      "SPEC_INVALID",
      "early_stopping is set; needed: none where",
    );
    refused(() => fits({ ...without, keepBest: true }, data), "SPEC_INVALID", "keep_best is true; needed: none where");
    const needed = "needed: one of validation_loss, validation_mae, validation_mse, validation_r2";
    refused(() => checkPlan({ ...regression, earlyStopping }), "SPEC_INVALID", needed);
  });

  it("that holds out every row of a small dataset is refused", () => {
    const message = "validation_share is 0.95; needed: a share that leaves some of 8 rows to train on";
    refused(() => fits({ ...plan, validationShare: 0.95 }, data), "SPEC_INVALID", message);
  });
});

describe("training data", () => {
  it("that fits is accepted, for either loss", () => {
    fits(plan, data);
    fits(regression, { ...data, targets: new Float32Array(24) });
  });

  const faults: Record<string, [change: object, message: string, of?: TrainingPlan]> = {
    "no rows": [{ rowCount: 0 }, "the dataset has no rows"],
    "too few columns": [
      { featureCount: 3, features: new Float32Array(24) },
      "the dataset has 3 feature columns; the network's input needs 4",
    ],
    "a number that is not finite": [
      { features: new Float32Array(32).fill(Number.NaN, 13, 14) },
      "feature 1 of row 3 is NaN",
    ],
    "a label out of range": [
      { targets: Int32Array.from([0, 1, 2, 0, 3, 2, 0, 1]) },
      "the label of row 4 is 3; needed: a class index in [0, 2]",
    ],
    "a label of several out of range": [
      { ...tokens, targets: Int32Array.from([0, 1, 2, 0, 5, 1]) },
      "label 1 of row 1 is 5; needed: a class index in [0, 2]",
      ofTokens,
    ],
    "a token out of range": [
      { ...tokens, features: Int32Array.from([0, 1, 2, 0, 1, -1]) },
      "token 2 of row 1 is -1; needed: one in [0, 2]",
      ofTokens,
    ],
    "a negative label": [{ targets: Int32Array.from([-1, 0, 0, 0, 0, 0, 0, 0]) }, "the label of row 0 is -1"],
    "too few labels": [{ targets: new Int32Array(7) }, "the dataset's targets are 7 labels; needed: 8"],
    "numbers for classes": [{ targets: new Float32Array(8) }, "targets are numbers; needed: class indices"],
    "classes for numbers": [{}, "targets are class indices; needed: numbers", regression],
    "targets of another width": [
      { targets: new Float32Array(16) },
      "targets are 2 wide; needed: 3 wide, the network's output",
      regression,
    ],
    "an infinite target": [{ targets: new Float32Array(24).fill(Infinity, 5, 6) }, "target 2 of row 1", regression],
  };
  for (const [fault, [change, message, of = plan]] of Object.entries(faults)) {
    it(`with ${fault} is refused`, () => refused(() => fits(of, { ...data, ...change }), "DATASET_INVALID", message));
  }
});

function fits(given: TrainingPlan, rows: TrainingData): void {
  checkData(given, checkPlan(given), preparedInMemory(rows, given.validationShare, given.seed));
}

function refused(check: () => void, reason: string, message: string): void {
  expect(check).to.throw(ServiceError, message).with.property("reason", reason);
}
