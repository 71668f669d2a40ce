import { expect } from "chai";
import { memoryEstimate } from "../../services/trainer/engine/memory-estimate.ts";
import type { Moves } from "../../services/trainer/graph/moves.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { evaluationGraph, trainingGraph } from "../../services/trainer/graph/training-graph.ts";

const adam: Moves = { optimizer: { kind: "adam", learningRate: 0.001 } };
/** 1000·500 + 500 + 500·10 + 10 numbers. */
const parameterBytes = 4 * 505_510;

describe("the estimate of a training's memory", () => {
  it("counts parameters once, and what the optimizer and averages hold of those that move", () => {
    expect(estimated(adam)).to.include({ parameterBytes, optimizerBytes: 2 * parameterBytes });
    expect(estimated({ optimizer: { kind: "sgd", learningRate: 0.1 } }).optimizerBytes).to.equal(0);
    const averaged = estimated({ ...adam, averageDecay: 0.9 });
    expect(averaged).to.include({ parameterBytes, optimizerBytes: 3 * parameterBytes });
    const frozen = estimated({ ...adam, frozen: ["layers.0.*"] });
    expect(frozen).to.include({ parameterBytes, optimizerBytes: 2 * 4 * 5010 });
  });

  it("grows by what a row keeps between the nodes with the rows of a batch", () => {
    const [some, more] = [1e5, 2e5].map((batchRows) => estimated(adam, { batchRows }).activationBytes);
    // The row that goes in, the hidden numbers and their gradients.
    expect(more - some).to.be.within(1e5 * 4 * (1000 + 500), 1e5 * 4 * (1000 + 4 * 500));
  });

  it("counts what one of the parts keeps where a batch is taken in parts", () => {
    const [whole, parts] = [1, 4].map((accumulatedParts) =>
      estimated({ ...adam, accumulatedParts }, { batchRows: 1e5, parts: accumulatedParts }),
    );
    // The rows that go in are gathered as a whole either way.
    const gathered = 1e5 * 4 * 1010;
    expect(parts.activationBytes - gathered).to.be.below(0.7 * (whole.activationBytes - gathered));
  });

  it("counts the dataset, the rows of a call, and those that are measured", () => {
    const rowBytes = 4 * 1010;
    const estimate = estimated(adam, { rowCount: 5000, callSteps: 3, batchRows: 100, evaluationRows: 50 });
    expect(estimate).to.include({ datasetBytes: 5000 * rowBytes, batchBytes: 350 * rowBytes });
    expect(estimate.evaluationBytes).to.be.above(50 * 4 * 500);
    expect(estimated(adam).evaluationBytes).to.equal(0);
    const { totalBytes, runtimeBytes, activationBytes } = estimate;
    expect(totalBytes).to.be.above(runtimeBytes + activationBytes + 3 * 3 * parameterBytes);
  });
});

function estimated(moves: Moves, load: Partial<Parameters<typeof memoryEstimate>[0]> = {}) {
  const network = networkOf({ kind: "mlp", inputShape: [1000], hiddenSizes: [500], outputSize: 10 });
  return memoryEstimate({
    training: trainingGraph(network, { kind: "mse" }, moves, 1),
    evaluation: evaluationGraph(network, { kind: "mse" }),
    rowBytes: 4 * 1010,
    rowCount: 1000,
    batchRows: 100,
    parts: 1,
    threads: 1,
    callSteps: 1,
    stepCount: 1,
    evaluationRows: 0,
    keepsBest: false,
    ...load,
  });
}
