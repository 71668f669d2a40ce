import { expect } from "chai";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { Random } from "../../lib/random.ts";
import { openSession, type RuntimeTensor, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import { checkMoves, type Moves, moveScalars, movesOf } from "../../services/trainer/graph/moves.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { trainingGraph } from "../../services/trainer/graph/training-graph.ts";

const network = networkOf({
  kind: "layers",
  layers: [
    { kind: "linear", inputSize: 3, outputSize: 4 },
    { kind: "tanh" },
    { kind: "linear", inputSize: 4, outputSize: 2 },
  ],
});
const names = network.parameters.map(({ name }) => name);
const first = initialTensors(network, 1);
const sgd = { optimizer: { kind: "sgd", learningRate: 0.5 } } as const;

describe("how parameters move", () => {
  let slopes: Map<string, number[]>;
  before(async () => {
    const [state] = await stepsOf(sgd, 1);
    slopes = new Map(
      names.map((name) => [name, at(first.get(name)!).map((p, i) => (p - state!.get(name)![i]!) / 0.5)]),
    );
  });

  /** Weights after a step by these gradients. */
  const movedBy = (slopeOf: (name: string) => readonly number[]) =>
    new Map(names.map((name) => [name, at(first.get(name)!).map((p, i) => p - 0.5 * slopeOf(name)[i]!)]));

  it("is bounded by the length of all gradients together", async () => {
    const length = Math.sqrt([...slopes.values()].flat().reduce((sum, slope) => sum + slope ** 2, 0));
    for (const norm of [length / 3, length * 3]) {
      const [state] = await stepsOf({ ...sgd, clip: { norm } }, 1);
      agree(
        state!,
        movedBy((name) => slopes.get(name)!.map((slope) => slope * Math.min(1, norm / length))),
      );
    }
  });

  it("is bounded element by element, before the length is taken", async () => {
    const value = 0.1;
    const cut = (name: string) => slopes.get(name)!.map((slope) => Math.max(-value, Math.min(value, slope)));
    const [state] = await stepsOf({ ...sgd, clip: { value } }, 1);
    agree(state!, movedBy(cut));
    const length = Math.sqrt(names.flatMap(cut).reduce((sum, slope) => sum + slope ** 2, 0));
    const [both] = await stepsOf({ ...sgd, clip: { value, norm: length / 2 } }, 1);
    agree(
      both!,
      movedBy((name) => cut(name).map((slope) => slope / 2)),
    );
  });

  it("may be another one for a group, the first that a parameter matches", async () => {
    const groups = [
      { parameters: "layers.0.*", rateFactor: 0.1 },
      { parameters: "*.weight", weightDecay: 0.3 },
      { parameters: "*", rateFactor: 0 },
    ];
    const [state] = await stepsOf({ ...sgd, groups }, 1);
    agree(
      state!,
      movedBy((name) => {
        if (name.startsWith("layers.0.")) return slopes.get(name)!.map((slope) => 0.1 * slope);
        if (name === "layers.2.bias") return slopes.get(name)!.map(() => 0);
        return slopes.get(name)!.map((slope, index) => slope + 0.3 * first.get(name)![index]!);
      }),
    );
  });

  it("leaves frozen parameters as they are", async () => {
    const [state] = await stepsOf({ ...sgd, frozen: ["layers.0.weight", "*.bias"] }, 1);
    const still = (name: string) => name !== "layers.2.weight";
    agree(
      state!,
      movedBy((name) => slopes.get(name)!.map((slope) => (still(name) ? 0 : slope))),
    );
  });

  it("may be followed by an average of the weights, which is what comes out", async () => {
    const states = await stepsOf(sgd, 3);
    const averaged = await stepsOf({ ...sgd, averageDecay: 0.8, frozen: [] }, 3);
    for (const name of names) {
      let average = at(first.get(name)!);
      for (const [step, state] of states.entries()) {
        average = average.map((a, i) => 0.8 * a + 0.2 * state.get(name)![i]!);
        agree(new Map([[name, averaged[step]!.get(name)!]]), new Map([[name, average]]));
      }
    }
  });

  for (const [what, moves, text] of [
    ["a norm of 0", { clip: { norm: 0 } }, "clip.norm is 0; needed: a finite number above 0"],
    ["a value that is no number", { clip: { value: Number.NaN } }, "clip.value is NaN"],
    ["an average of nothing new", { averageDecay: 1 }, "average_decay is 1; needed: a number in [0, 1)"],
    ["a rate below 0", { groups: [{ parameters: "*", rateFactor: -1 }] }, "groups[0].rate_factor is -1"],
    [
      "a group of none",
      { groups: [{ parameters: "layers.1.*" }] },
      "groups[0].parameters is layers.1.*; needed: a pattern of one of layers.0.weight, layers.0.bias, layers.2.weight",
    ],
    ["a frozen parameter that is none", { frozen: ["layers.*.weights"] }, "frozen[0] is layers.*.weights"],
    ["nothing that moves", { frozen: ["layers.0.*", "layers.2*"] }, "needed: patterns that leave a parameter to train"],
  ] as const) {
    it(`is refused with ${what}`, () => {
      expect(() => checkMoves({ ...sgd, ...moves } as Moves, network.parameters)).to.throw(text);
    });
  }

  it("matches names by patterns in no time, whatever they are", () => {
    const matched = (pattern: string) =>
      movesOf({ ...sgd, groups: [{ parameters: pattern }] }, network.parameters)
        .filter(({ group }) => group === 1)
        .map(({ parameter }) => parameter.name);
    expect(matched("*")).to.deep.equal(names);
    expect(matched("layers.*.bias")).to.deep.equal(["layers.0.bias", "layers.2.bias"]);
    expect(matched("*ers.2*ight")).to.deep.equal(["layers.2.weight"]);
    expect(matched("layers.0.weight*weight")).to.deep.equal([]);
    expect(matched(`${"*a".repeat(5000)}*`)).to.deep.equal([]);
  });
});

function agree(seen: ReadonlyMap<string, readonly number[]>, expected: ReadonlyMap<string, readonly number[]>): void {
  for (const [name, numbers] of expected) {
    for (const [index, number] of numbers.entries()) {
      expect(seen.get(name)![index], `${name}[${index}]`).to.be.closeTo(number, 2e-6);
    }
  }
}

/** The results after each of some steps on the same rows. */
async function stepsOf(moves: Moves, count: number): Promise<Map<string, number[]>[]> {
  checkMoves(moves, network.parameters);
  const { graph, state: tensors, frozen, scalarNames, results } = trainingGraph(network, { kind: "mse" }, moves, 1);
  const session = await openSession(writeModel(modelOf(graph)), 1);
  const zeros = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1));
  const begin = [...tensors, ...frozen].map(({ name, shape, startsAs = "" }) => [
    name,
    fp32(shape, first.get(startsAs) ?? zeros(shape)),
  ]);
  let held: RuntimeTensors = Object.fromEntries(begin);
  const after: Map<string, number[]>[] = [];
  try {
    for (let step = 1; step <= count; step++) {
      const numbers = moveScalars(movesOf(moves, network.parameters), step, 1);
      const outputs = await session.run({
        steps_before: { dataType: "INT32", shape: [], elements: Int32Array.of(step - 1) },
        ...held,
        ...Object.fromEntries(scalarNames.map((name) => [name, fp32([1], [numbers[name]!])])),
        features: fp32([1, 5, 3], drawn("features", 15)),
        targets: fp32([1, 5, 2], drawn("targets", 10)),
      });
      held = { ...held, ...Object.fromEntries(tensors.map(({ name }) => [name, outputs[`next.${name}`]!])) };
      after.push(new Map([...results].map(([name, result]) => [name, at(held[result]!.elements as Float32Array)])));
    }
  } finally {
    await session.release();
  }
  return after;
}

function at(elements: ArrayLike<number>): number[] {
  return Array.from(elements);
}

function drawn(stream: string, length: number): number[] {
  const random = new Random(3, stream);
  return Array.from({ length }, () => 4 * random.uniform() - 2);
}

function fp32(shape: readonly number[], numbers: ArrayLike<number>): RuntimeTensor {
  return { dataType: "FP32", shape, elements: Float32Array.from(numbers) };
}
