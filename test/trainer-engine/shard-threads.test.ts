import { expect } from "chai";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { shardLayout } from "../../services/trainer/engine/shards/shard-layout.ts";
import { orders, places, shardMemory } from "../../services/trainer/engine/shards/shard-memory.ts";
import { Shards } from "../../services/trainer/engine/shards/shards.ts";
import { targetForm } from "../../services/trainer/graph/losses/loss.ts";
import { moveScalars } from "../../services/trainer/graph/moves.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { lessonGraph, moveGraph } from "../../services/trainer/graph/shard-graphs.ts";
import { trainingGraph } from "../../services/trainer/graph/training-graph.ts";

const plan = {
  network: { kind: "layers", inputShape: [2], layers: [{ kind: "linear", outputSize: 3 }] },
  loss: { kind: "cross_entropy" },
  optimizer: { kind: "sgd", learningRate: 0.01 },
  ...{ epochCount: 1, batchRows: 4, seed: 3, validationShare: 0, threadCount: 2 },
} as const;

describe("the threads that share the rows of a batch", function () {
  this.timeout(20_000);

  it("end where one of them cannot be opened", async () => {
    const [first, second] = starts();
    const failure = await Shards.open([{ ...first!, lesson: noModel }, second!]).catch((thrown) => thrown);
    expect(failure).to.be.instanceOf(Error);
    expect(orders[first!.memory.control[places.order]!]).to.equal("end");
  });

  it("fail with the words of one that does, in a plain error that says what became of memory", async () => {
    const [first, second] = starts();
    const shards = await Shards.open([first!, { ...second!, lesson: noModel }]);
    const failure = await shards.all("learn").catch((thrown) => thrown);
    await shards.release();
    expect(failure.message).to.match(/^a thread of the training failed: .*protobuf/i);
    expect(failure).not.to.have.property("reason");
  });
});

const noModel = Uint8Array.of(1, 2, 3);

/** What each of two threads begins with. */
function starts() {
  const network = networkOf(plan.network);
  const { moving, scalarNames } = trainingGraph(network, plan.loss, plan, plan.seed);
  const layout = shardLayout(moving, plan, 2);
  const forms = { input: network.input, targets: targetForm(plan.loss, network) };
  const memory = shardMemory(layout, forms, plan.batchRows, scalarNames.length);
  const lesson = writeModel(modelOf(lessonGraph(network, plan.loss, moving, plan.seed)));
  return layout.parts.map(({ moves }, index) => ({
    ...{ index, layout, memory, forms, lesson, rowCountMax: 2, frozen: {}, squares: undefined },
    numbers: new Map(Object.keys(moveScalars(moves, 1, 1)).map((name) => [name, scalarNames.indexOf(name)] as const)),
    move: writeModel(modelOf(moveGraph(moves, plan, 2))),
  }));
}
