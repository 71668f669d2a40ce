import { expect } from "chai";
import fc from "fast-check";
import type { SweepSpec__Output } from "../../lib/gen/amaas/trainer/v1/SweepSpec.ts";
import type { TrainSpec__Output } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import { drawsOf, gridOf, samplesOf } from "../../services/trainer/work/sweep/assignments.ts";
import { applied, type Parameter } from "../../services/trainer/work/sweep/parameters.ts";
import { sweepPlanOf } from "../../services/trainer/work/sweep/sweep-plan.ts";

const read = <Message>(type: string, message: object) =>
  decodeMessage<Message>(
    "trainer",
    `amaas.trainer.v1.${type}`,
    encodeMessage("trainer", `amaas.trainer.v1.${type}`, message),
  );

const base = {
  model: "models/a",
  layers: [{ linear: { inputSize: 2, outputSize: 4 } }, { relu: {} }],
  loss: "LOSS_CROSS_ENTROPY",
  optimizer: { adam: { learningRate: 0.01 } },
  epochs: 20,
  batchSize: 8,
  seed: 5,
};
const sweepOf = (change: object) =>
  read<SweepSpec__Output>("SweepSpec", {
    base,
    parameters: [{ field: "batch_size", values: { json: ["4", "8"] } }],
    grid: {},
    ...change,
  });

describe("the plan of a sweep", () => {
  describe("sets fields of the training", () => {
    const spec = read<TrainSpec__Output>("TrainSpec", base);

    it("by their paths, whatever their types, also in lists and where they were not set", () => {
      const changed = applied(spec, {
        "optimizer.adam.learning_rate": 0.5,
        "optimizer.adam.beta1": 0.8,
        "layers.0.linear.output_size": 7,
        loss: "LOSS_HUBER",
        frozen: ["layers.0.*"],
        keep_best: true,
      });
      expect(changed.optimizer!.adam).to.deep.include({ learningRate: 0.5, beta1: 0.8 });
      expect(changed.layers[0]!.linear).to.deep.include({ inputSize: 2, outputSize: 7 });
      expect(changed).to.deep.include({ loss: "LOSS_HUBER", frozen: ["layers.0.*"], keepBest: true });
      expect(spec.optimizer!.adam!.learningRate).to.equal(0.01);
    });

    it("and tells a field that there is not from a value that it does not take", () => {
      for (const [assignment, message] of [
        [{ batchsize: 4 }, "batchsize, which there is not; needed: a field of the base; the nearest is batch_size"],
        [
          { "optimizer.adam.rate": 4 },
          "optimizer.adam.rate, which there is not; needed: a field of the base; the nearest is",
        ],
        [{ epochs: 1.5 }, "epochs = 1.5; needed: a value that the field takes"],
      ] as const) {
        expect(() => applied(spec, assignment as never)).to.throw(`parameters is ${message}`);
      }
    });

    for (const [what, assignment] of [
      ["a field that there is not", { batchsize: 4 }],
      ["a field of a message that the base lacks", { "optimizer.sgd.learning_rate": 0.1 }],
      ["a field of a number", { "epochs.x": 4 }],
      ["a text for a number", { epochs: "many" }],
      ["a number with a fraction for a whole one", { epochs: 1.5 }],
      ["a word that is none of an enumeration", { loss: "LOSS_OF_TIME" }],
      ["what every object has", { "optimizer.__proto__.x": 1 }],
      ["what a constructor has", { "optimizer.constructor": 1 }],
      ["the length of a list", { "layers.length": 4_294_967_295 }],
      ["an index beyond a list", { "layers.4294967294": { relu: {} } }],
      ["the index behind the last", { "layers.2": { relu: {} } }],
      ["a word for an index", { "layers.map": 1 }],
      ["a number for a list", { layers: 5 }],
      ["a number for a message", { optimizer: 5 }],
    ] as const) {
      it(`and refuses ${what}`, () => {
        expect(() => applied(spec, assignment as never)).to.throw(`parameters is ${Object.keys(assignment)[0]}`);
      });
    }
  });

  const values = (field: string, ...list: readonly unknown[]): Parameter => ({
    field,
    range: { kind: "values", values: list },
  });
  const between = (low: number, high: number, logarithmic: boolean, whole: boolean): Parameter => ({
    field: "x",
    range: { kind: "between", low, high, spread: { logarithmic, whole } },
  });

  it("has all combinations in a grid, each once", () => {
    expect(gridOf([values("a", 1, 2), values("b", "x", "y")])).to.deep.equal([
      { a: 1, b: "x" },
      { a: 1, b: "y" },
      { a: 2, b: "x" },
      { a: 2, b: "y" },
    ]);
    const wide = values("a", ...Array(100).keys());
    expect(() => gridOf([wide, { ...wide, field: "b" }])).to.throw("needed: at most 1000");
    expect(() => gridOf([between(0, 1, false, false)])).to.throw("values, for a grid");
  });

  it("checks every value beside the first ones of the others", () => {
    expect(samplesOf([values("a", 1, 2, 3), between(4, 5, false, false)])).to.deep.equal([
      { a: 1, x: 4 },
      { a: 2, x: 4 },
      { a: 3, x: 4 },
      { a: 1, x: 5 },
    ]);
  });

  it("draws numbers within their range, the same for the same seed, the first ones whatever their count", () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1000 }));
    fc.assert(
      fc.property(range, fc.boolean(), fc.boolean(), fc.nat(1000), ([low, more], logarithmic, whole, seed) => {
        const parameters = [between(low, low + more, logarithmic, whole)];
        const drawn = drawsOf(parameters, 30, seed);
        for (const { x } of drawn) {
          expect(x).to.be.within(low, low + more);
          if (whole) expect(Number.isInteger(x)).to.equal(true);
        }
        expect(drawsOf(parameters, 10, seed)).to.deep.equal(drawn.slice(0, 10));
      }),
    );
  });

  it("spreads logarithmic draws evenly over the powers of ten", () => {
    const drawn = drawsOf([between(1e-4, 1, true, false)], 1000, 1).map(({ x }) => Math.floor(Math.log10(x as number)));
    for (const power of [-4, -3, -2, -1]) {
      expect(drawn.filter((seen) => seen === power).length).to.be.within(200, 300);
    }
  });

  describe("is refused", () => {
    for (const [what, change, text] of [
      ["without a base", { base: null }, "base is not set"],
      ["without a strategy", { grid: null }, "strategy is not set; needed: one of grid, random, asha"],
      ["without parameters", { parameters: [] }, "parameters is a list of 0; needed: 1 to 16"],
      [
        "with a model to choose",
        { parameters: [{ field: "model", values: { json: ['"m"'] } }] },
        "parameters[0].field",
      ],
      ["with a field twice", { parameters: [1, 2].map(() => ({ field: "epochs", values: { json: ["1"] } })) }, "again"],
      ["with a range of nothing", { parameters: [{ field: "epochs" }] }, "values or between"],
      ["with values that are no JSON", { parameters: [{ field: "loss", values: { json: ["relu"] } }] }, "json[0]"],
      ["with no values", { parameters: [{ field: "loss", values: {} }] }, "a list of 0"],
      [
        "with a range that ends before it begins",
        { parameters: [{ field: "x", between: { low: 2, high: 1 } }] },
        "2 to 1",
      ],
      [
        "with a logarithm of nothing",
        { parameters: [{ field: "x", between: { high: 1, logarithmic: true } }] },
        "between.low is 0",
      ],
      ["with too many trials", { random: { trialCount: 1001 } }, "random.trial_count is 1001; needed: 1 to 1000"],
      ["with too many at a time", { parallelTrials: 257 }, "parallel_trials is 257; needed: 1 to 256"],
      ["with a first rung of more epochs than there are", { asha: { trialCount: 3, firstEpochs: 21 } }, "1 to 20"],
      ["with halving by nothing", { asha: { trialCount: 3, reduction: 1 } }, "asha.reduction is 1; needed: 2 to 16"],
      [
        "with epochs to choose and to decide on",
        { asha: { trialCount: 3 }, parameters: [{ field: "epochs", values: { json: ["1"] } }] },
        "asha decides on epochs",
      ],
    ] as const) {
      it(what, () => expect(() => sweepPlanOf(sweepOf(change))).to.throw(text));
    }
  });

  it("has rungs that grow by the reduction, up to the epochs of the base", () => {
    const rungs = (asha: object) => sweepPlanOf(sweepOf({ asha: { trialCount: 3, ...asha } })).strategy.rungs;
    expect(rungs({})).to.deep.equal([1, 3, 9, 20]);
    expect(rungs({ firstEpochs: 5, reduction: 2 })).to.deep.equal([5, 10, 20]);
    expect(rungs({ firstEpochs: 20 })).to.deep.equal([20]);
  });
});
