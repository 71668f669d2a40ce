import { expect } from "chai";
import { product } from "../../lib/onnx/shapes.ts";
import { modelFileOf } from "../../services/trainer/engine/model-file.ts";
import { openSession, type RuntimeTensor, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import { targetForm } from "../../services/trainer/graph/losses/loss.ts";
import type { TargetForm } from "../../services/trainer/graph/losses/loss-kind.ts";
import { moveScalars } from "../../services/trainer/graph/moves.ts";
import type { Network } from "../../services/trainer/graph/network.ts";
import { type NetworkSpec, networkOf } from "../../services/trainer/graph/network-spec.ts";
import { type TrainingGraph, trainingGraph } from "../../services/trainer/graph/training-graph.ts";
import type { StateTensor } from "../../services/trainer/graph/training-tensors.ts";
import { batchOf, firstElements, type ParityFixture, parityFixtures } from "../fixtures/parity-torch.ts";

/** Set to compare networks of whole size too, which takes minutes. */
const isFull = process.env.AMAAS_TEST_FULL_SIZE === "1";

describe("with the same weights and batches the losses of 50 steps are PyTorch's:", () => {
  for (const fixture of [...parityFixtures(""), ...(isFull ? parityFixtures("full") : [])]) {
    const { name, tolerance, losses } = fixture;
    it(`${name}, within ${tolerance}`, async function () {
      this.timeout(isFull ? 600_000 : 60_000);
      const network = networkOf(fixture.network);
      const parameters = network.parameters.map((parameter) => [parameter.name, firstElements(parameter)] as const);
      const trained = await trainedAs(fixture, new Map([...initialTensors(network, 1), ...parameters]), 50, 1);
      const errors = losses.map((loss, step) => Math.abs(trained.losses[step] - loss) / loss);
      const worst = errors.indexOf(Math.max(...errors));
      expect(errors[worst], `the loss of step ${worst + 1}, ${trained.losses[worst]}`).to.be.below(tolerance);
    });
  }
});

describe("the same seed and number of threads give the same weights, to the bit:", () => {
  for (const fixture of parityFixtures("")) {
    it(fixture.name, async function () {
      this.timeout(60_000);
      const dropping = { ...fixture, network: { ...fixture.network, dropout: 0.1 } as NetworkSpec };
      const weights = async () => {
        const { state } = await trainedAs(dropping, initialTensors(networkOf(dropping.network), 5), 4, 2);
        return Object.values(state).map(({ elements }) => Buffer.from(elements.buffer).toString("base64"));
      };
      expect(await weights()).to.deep.equal(await weights());
    });
  }
});

/** A training on the graph that the engine runs, by calls of several steps each. */
async function trainedAs(
  fixture: ParityFixture,
  first: ReadonlyMap<string, Float32Array>,
  stepCount: number,
  threadCount: number,
) {
  const { network: spec, optimizer } = fixture;
  const network = networkOf(spec);
  const loss = { kind: spec.kind === "mlp" ? "mse" : "cross_entropy" } as const;
  const graph = trainingGraph(network, loss, { optimizer }, 1);
  const session = await openSession(await modelFileOf(graph.graph), threadCount);
  let state = firstState(graph, first);
  const losses: number[] = [];
  try {
    while (losses.length < stepCount) {
      const steps = Math.min(callSteps, stepCount - losses.length);
      const feeds = feedsOf(fixture, network, targetForm(loss, network), graph, losses.length, steps);
      const outputs = await session.run({ ...feeds, ...state });
      losses.push(...outputs.loss.elements);
      state = Object.fromEntries(graph.state.map(({ name }) => [name, outputs[`next.${name}`]]));
    }
  } finally {
    await session.release();
  }
  return { losses, state };
}

const callSteps = 10;

function firstState({ state }: TrainingGraph, tensors: ReadonlyMap<string, Float32Array>): RuntimeTensors {
  const first = ({ name, shape, startsAs = "" }: StateTensor) => {
    const elements = tensors.get(startsAs) ?? new Float32Array(product(shape));
    return [name, { dataType: "FP32", shape, elements }] as const;
  };
  return Object.fromEntries(state.map(first));
}

/** The batches of so many steps after the first, and the numbers that the optimizer takes for each. */
function feedsOf(
  fixture: ParityFixture,
  network: Network,
  targets: TargetForm,
  { moving, scalarNames }: TrainingGraph,
  stepsBefore: number,
  steps: number,
): RuntimeTensors {
  const batches = Array.from({ length: steps }, (_, step) => batchOf(fixture, network, stepsBefore + step));
  const tensor = (part: "features" | "targets", { dataType, rowShape }: TargetForm) => {
    const numbers = batches.flatMap((batch) => [...batch[part]]);
    const elements = { FP32: Float32Array, INT32: Int32Array }[dataType].from(numbers);
    return { dataType, shape: [steps, fixture.batchRows, ...rowShape], elements } as RuntimeTensor;
  };
  const scalars = batches.map((_, step) => moveScalars(moving, stepsBefore + step + 1, 1));
  const ofSteps = scalarNames.map((name) => {
    const elements = Float32Array.from(scalars, (each) => each[name]);
    return [name, { dataType: "FP32", shape: [steps], elements }] as const;
  });
  return {
    features: tensor("features", network.input),
    targets: tensor("targets", targets),
    steps_before: { dataType: "INT32", shape: [], elements: Int32Array.of(stepsBefore) },
    ...Object.fromEntries(ofSteps),
  };
}
