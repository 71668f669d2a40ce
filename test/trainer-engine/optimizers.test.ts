import { readFileSync } from "node:fs";
import { expect } from "chai";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { openSession, type RuntimeTensor } from "../../services/trainer/engine/runtime.ts";
import {
  checkOptimizer,
  type Optimizer,
  stateNames,
  stepScalars,
  updateOf,
} from "../../services/trainer/graph/optimizers/optimizer.ts";
import { checkSchedule, rateShare, type Schedule } from "../../services/trainer/graph/schedule.ts";
import { fileOf } from "../repository.ts";

/** What test/fixtures/optimizers-torch.py has written. */
interface Fixture {
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly optimizers: readonly { readonly optimizer: Optimizer; readonly values: readonly (readonly number[])[] }[];
  readonly schedules: readonly { readonly schedule: Schedule; readonly shares: readonly number[] }[];
}

const fixture: Fixture = JSON.parse(readFileSync(fileOf("test/fixtures/optimizers-torch.json"), "utf8"));

describe("an optimizer", () => {
  for (const { optimizer, values } of fixture.optimizers) {
    const { kind, learningRate: _, ...fields } = optimizer;
    it(`moves as PyTorch's: ${kind} ${JSON.stringify(fields)}`, async () => {
      checkOptimizer(optimizer);
      const step = await stepOf(optimizer);
      try {
        for (const [index, value] of values.entries()) {
          const seen = await step.take(fixture.gradients[index]!, index + 1);
          for (const [place, expected] of value.entries()) {
            expect(seen[place], `step ${index + 1}, element ${place}`).to.be.closeTo(expected, 1e-12);
          }
        }
      } finally {
        await step.release();
      }
    });
  }

  for (const [optimizer, text] of [
    [{ kind: "sgd", nesterov: true }, "optimizer.momentum is 0; needed: a number in (0, 1), for nesterov"],
    [{ kind: "sgd", weightDecay: -1 }, "optimizer.weight_decay is -1; needed: a finite number of at least 0"],
    [{ kind: "adamw", weightDecay: Number.NaN }, "optimizer.weight_decay is NaN"],
    [{ kind: "rmsprop", decay: 1 }, "optimizer.decay is 1; needed: a number in [0, 1)"],
    [{ kind: "adagrad", rateDecay: -0.1 }, "optimizer.rate_decay is -0.1"],
  ] as const) {
    it(`is refused where it cannot be: ${JSON.stringify(optimizer)}`, () => {
      expect(() => checkOptimizer({ learningRate: 0.1, ...optimizer } as Optimizer)).to.throw(text);
    });
  }
});

describe("a schedule", () => {
  for (const { schedule, shares } of fixture.schedules) {
    it(`is PyTorch's: ${JSON.stringify(schedule)}`, () => {
      checkSchedule(schedule);
      for (const [index, share] of shares.entries()) {
        expect(rateShare(schedule, index + 1, shares.length), `step ${index + 1}`).to.be.closeTo(share, 1e-12);
      }
    });
  }

  it("warms up evenly, then goes on from the whole rate", () => {
    const of = (schedule: Schedule) => [1, 2, 4, 5, 12].map((step) => rateShare(schedule, step, 12));
    expect(of({ kind: "constant" })).to.deep.equal([1, 1, 1, 1, 1]);
    expect(of({ kind: "constant", warmUpSteps: 4 })).to.deep.equal([0.25, 0.5, 1, 1, 1]);
    const [first, second, fourth, fifth, last] = of({ kind: "cosine", warmUpSteps: 4, finalShare: 0.5 });
    expect([first, second, fourth, fifth]).to.deep.equal([0.25, 0.5, 1, 1]);
    expect(last).to.be.within(0.5, 0.53);
  });

  for (const [schedule, text] of [
    [{ kind: "linear" }, "schedule.kind is linear; needed: one of constant, step, cosine, one_cycle"],
    [{ kind: "step", everySteps: 0, factor: 0.5 }, "schedule.every_steps is 0; needed: a whole number of at least 1"],
    [{ kind: "step", everySteps: 1, factor: 2 }, "schedule.factor is 2; needed: a number in (0, 1]"],
    [{ kind: "cosine", finalShare: 1 }, "schedule.final_share is 1; needed: a number in [0, 1)"],
    [{ kind: "constant", warmUpSteps: 0.5 }, "schedule.warm_up_steps is 0.5"],
    [{ kind: "one_cycle", upShare: 1 }, "schedule.up_share is 1; needed: a number in (0, 1)"],
  ] as const) {
    it(`is refused where it cannot be: ${JSON.stringify(schedule)}`, () => {
      expect(() => checkSchedule(schedule as Schedule)).to.throw(text);
    });
  }
});

/** One parameter, FP64 as in the fixture, and its optimizer's tensors, on the runtime. */
async function stepOf(optimizer: Optimizer) {
  const graph = new GraphBuilder("step");
  const shape = [fixture.start.length];
  const parameter = graph.input("parameter", "FP64", shape);
  const gradient = graph.input("gradient", "FP64", shape);
  const names = stateNames(optimizer);
  const state = names.map((name) => graph.input(name, "FP64", shape));
  const scalarNames = Object.keys(stepScalars(optimizer, 1));
  const scalars = Object.fromEntries(scalarNames.map((name) => [name, graph.input(name, "FP64", [])]));
  const update = updateOf({ graph, optimizer, parameter, gradient, state, scalars });
  graph.output("next", update.parameter);
  for (const [index, name] of names.entries()) graph.output(`next.${name}`, update.state[index]!);
  const session = await openSession(writeModel(modelOf(graph.graph())), 1);
  const tensorOf = (numbers: readonly number[], of: readonly number[] = shape): RuntimeTensor => ({
    dataType: "FP64",
    shape: of,
    elements: Float64Array.from(numbers),
  });
  let held: Record<string, RuntimeTensor> = { parameter: tensorOf(fixture.start) };
  for (const name of names) held[name] = tensorOf(fixture.start.map(() => 0));
  return {
    release: () => session.release(),
    async take(slope: readonly number[], step: number): Promise<ArrayLike<number>> {
      const fed = Object.entries(stepScalars(optimizer, step)).map(([name, number]) => [name, tensorOf([number], [])]);
      const { next, ...after } = await session.run({ ...held, gradient: tensorOf(slope), ...Object.fromEntries(fed) });
      held = { parameter: next!, ...Object.fromEntries(names.map((name) => [name, after[`next.${name}`]!])) };
      return next!.elements;
    },
  };
}
