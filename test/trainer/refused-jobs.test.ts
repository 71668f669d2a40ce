import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { rows, thirdsSpec } from "./thirds.ts";

/** Three rows. */
const three = "1,2,0\n2,1,1\n2,2,2\n";

describe("the trainer, given what it cannot do,", function () {
  this.timeout(60_000);
  const running = new RunningTrainer();
  let spec: TrainSpec;

  before(async () => {
    await running.start();
    spec = await thirdsSpec(running);
  });
  after(() => running.remove());

  const fault = (call: Promise<unknown>) => call.then(() => expect.fail("the call succeeded"), remoteFaultOf);

  describe("refuses a job", () => {
    const linear = (inputSize: number, outputSize: number) => ({ linear: { inputSize, outputSize } });
    for (const [what, change, reason, texts] of [
      [
        "whose layer sizes do not fit",
        { layers: [linear(2, 4), linear(5, 3)] },
        "SPEC_INVALID",
        ["layers[1]", "5", "4"],
      ],
      [
        "with a negative learning rate",
        { optimizer: { adam: { learningRate: -0.1 } } },
        "SPEC_INVALID",
        ["learning_rate", "-0.1"],
      ],
      [
        "with a learning rate that is not a number",
        { optimizer: { sgd: { learningRate: Number.NaN } } },
        "SPEC_INVALID",
        ["learning_rate", "NaN"],
      ],
      [
        "without an optimizer",
        { optimizer: null },
        "SPEC_INVALID",
        ["optimizer", "sgd, adam, adamw, rmsprop, adagrad"],
      ],
      [
        "with a decay of more than all",
        { optimizer: { rmsprop: { learningRate: 0.1, decay: 2 } } },
        "SPEC_INVALID",
        ["optimizer.decay", "2"],
      ],
      [
        "with a step of no steps",
        { schedule: { step: { factor: 0.5 } } },
        "SPEC_INVALID",
        ["schedule.every_steps", "0"],
      ],
      [
        "with a setting of another loss",
        { lossSettings: { huberDelta: 2 } },
        "SPEC_INVALID",
        ["loss_settings.huber_delta", "2", "no value, for LOSS_CROSS_ENTROPY"],
      ],
      ["with a weight too few", { lossSettings: { classWeights: [1, 2] } }, "SPEC_INVALID", ["class_weights", "3"]],
      ["with a bound of nothing", { clip: { norm: 0 } }, "SPEC_INVALID", ["clip.norm", "0"]],
      ["with a frozen parameter that is none", { frozen: ["layers.9.*"] }, "SPEC_INVALID", ["frozen[0]", "layers.9.*"]],
      ["with too many groups", { groups: Array(65).fill({ parameters: "*" }) }, "SPEC_INVALID", ["groups", "65"]],
      ["without layers", { layers: [] }, "SPEC_INVALID", ["layers"]],
      ["with a layer of no kind", { layers: [{}] }, "SPEC_INVALID", ["layers[0]", "linear, relu"]],
      ["without a loss", { loss: "LOSS_UNSPECIFIED" }, "SPEC_INVALID", ["loss"]],
      ["with parts of unequal size", { accumulatedParts: 3 }, "SPEC_INVALID", ["accumulated_parts", "3", "8"]],
      ["with no epochs", { epochs: 0 }, "SPEC_INVALID", ["epochs", "0"]],
      ["with a batch of no rows", { batchSize: 0 }, "SPEC_INVALID", ["batch_size", "0"]],
      ["with a negative seed", { seed: -1 }, "SPEC_INVALID", ["seed", "-1"]],
      ["that holds out everything", { validationShare: 1 }, "SPEC_INVALID", ["validation_share", "1"]],
      ["with two class columns", { data: { targetColumns: 2 } }, "SPEC_INVALID", ["data.target_columns", "2", "1"]],
      ["for a model without a proper name", { model: "models/Bad Name" }, "REQUEST_INVALID", ["model", "Bad Name"]],
      ["for an alias without a letter", { targetAlias: "12" }, "REQUEST_INVALID", ["target_alias", "12"]],
      ["on a dataset without a proper name", { dataset: "digits.csv" }, "REQUEST_INVALID", ["dataset", "digits.csv"]],
    ] as const) {
      it(`${what}, naming field, value seen and value needed`, async () => {
        const refused = await fault(running.submit({ ...spec, ...(change as Partial<TrainSpec>) }));
        expect(refused).to.include({ code: status.INVALID_ARGUMENT, reason });
        for (const text of texts) expect(refused.message).to.contain(text);
      });
    }

    it("on a dataset that is not stored", async () => {
      const dataset = `artifacts/${"0".repeat(64)}`;
      expect(await fault(running.submit({ ...spec, dataset }))).to.include({
        code: status.NOT_FOUND,
        reason: "ARTIFACT_NOT_FOUND",
      });
    });

    it("that is missing altogether", async () => {
      for (const job of [undefined, {}]) {
        const refused = await fault(running.trainer.unary("CreateJob", { job }));
        expect(refused).to.include({ reason: "SPEC_INVALID" });
        expect(refused.message).to.contain("job.work is not set; needed: one of train, evaluate, predict, sweep");
      }
    });

    it("with a priority that there is not", async () => {
      const refused = await fault(running.trainer.unary("CreateJob", { job: { train: spec, priority: 1001 } }));
      expect(refused).to.include({ code: status.INVALID_ARGUMENT, reason: "SPEC_INVALID" });
      expect(refused.message).to.contain("job.priority is 1001; needed: 0 to 1000");
    });
  });

  describe("fails a job", () => {
    const all = { validationShare: 0 };
    for (const [what, text, change, reason, message] of [
      ["with a ragged CSV", "1,2,0\n1,2\n", {}, "DATASET_INVALID", "line 2 has 2 columns; needed: 3"],
      ["with a cell that is not a number", "1,x,0\n", {}, "DATASET_INVALID", 'line 1, column "column1" is "x"'],
      ["with an empty CSV", "", {}, "DATASET_INVALID", "no rows"],
      ["with too many columns", "1,2,3,0\n1,2,3,1\n", {}, "DATASET_INVALID", "3 feature columns"],
      ["with a class that the network does not have", `${rows}\n1,1,3\n`, {}, "DATASET_INVALID", "3"],
      ["with one class only", "1,2,1\n2,1,1\n", all, "DATASET_INVALID", "have only the class 1; needed: at least 2"],
      ["with an empty validation part", three, { validationShare: 0.1 }, "SPEC_INVALID", "validation_share is 0.1"],
      ["whose batch is larger than the data", three, all, "SPEC_INVALID", "batch_size is 8; needed: at most 3"],
    ] as const) {
      it(`${what}, naming the place`, async () => {
        const dataset = await running.uploadDataset(text);
        const job = await running.ended(await running.submit({ ...spec, ...change, dataset }));
        expect(job.state).to.equal("STATE_FAILED");
        expect(job.error).to.include({ reason });
        expect(job.error!.message).to.contain(message);
      });
    }

    it("whose loss is no longer finite, naming the step", async () => {
      const csv = Array.from({ length: 16 }, (_, i) => `${i * 1e6},${i},${i * 1e6}`).join("\n");
      const job = await running.ended(
        await running.submit({
          ...spec,
          dataset: await running.uploadDataset(csv),
          layers: [linear(2, 1)],
          loss: "LOSS_MEAN_SQUARED_ERROR",
          optimizer: { sgd: { learningRate: 1000 } },
          epochs: 100,
          validationShare: 0,
        }),
      );
      expect(job.error!.reason).to.equal("TRAINING_DIVERGED");
      expect(job.error!.message).to.match(/step \d+/);
    });

    it("and no other: the next one works", async () => {
      expect((await running.ended(await running.submit(spec))).state).to.equal("STATE_SUCCEEDED");
    });

    const linear = (inputSize: number, outputSize: number) => ({ linear: { inputSize, outputSize } });
  });
});
