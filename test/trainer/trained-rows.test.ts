import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { readModel, writeModel } from "../../lib/onnx/model.ts";
import { servedWith } from "../../services/trainer/datasets/columns/preprocessing-graph.ts";
import { rowForm } from "../../services/trainer/datasets/columns/row-form.ts";
import { prepareData } from "../../services/trainer/datasets/prepared-data.ts";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import { runTraining } from "../../services/trainer/engine/training-run.ts";
import { inferenceModel } from "../../services/trainer/graph/inference-model.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { column, form, plan, prepared } from "./preparing.ts";
import { tableSource } from "./table-source.ts";

const numbers = Array.from({ length: 40 }, (_, row) => row);
const table = { a: numbers.map((row) => (row * 7) % 40), b: numbers.map((row) => (row * 3) % 11), y: numbers };
const scaled = ["a", "b"].map((name) => column(name, { encoding: { kind: "standard" } }));
const how: TrainingPlan = {
  network: { kind: "mlp", inputShape: [2], hiddenSizes: [4], outputSize: 1 },
  loss: { kind: "mse" },
  optimizer: { kind: "adam", learningRate: 0.01 },
  epochCount: 3,
  batchRows: 8,
  seed: 5,
  validationShare: 0.2,
  threadCount: 1,
};

describe("a training", function () {
  this.timeout(60_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-trained-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("gives the same model, bit for bit, from rows on disk and in memory, and tells how long it waited", async () => {
    const rows = rowForm(networkOf(how.network), how.loss);
    const asked = { ...plan, columns: scaled, validationShare: 0.2, seed: 5 };
    const read = (memoryBytesMax: number) => prepareData(tableSource(table), asked, rows, { memoryBytesMax, folder });
    const [disk, memory] = [await read(0), await read(2 ** 20)];
    expect([disk.training.kind, memory.training.kind]).to.deep.equal(["disk", "memory"]);
    const [fromDisk, fromMemory] = [await runTraining(how, disk), await runTraining(how, memory)];
    expect(Buffer.from(fromDisk.model).equals(fromMemory.model)).to.equal(true);
    expect(fromDisk.metrics.validationLoss).to.equal(fromMemory.metrics.validationLoss);
    expect(fromDisk.metrics.waitedShare).to.be.within(0, 1);
  });

  it("of a version that prepares its values moves nothing of what prepares them", async () => {
    const { network } = form(2);
    const data = await prepared(table, { columns: scaled }, form(2));
    const model = writeModel(inferenceModel(network, initialTensors(network, 3), servedWith(data, network)));
    const tensorsOf = (bytes: Uint8Array) =>
      new Map(readModel(bytes).graph!.initializer!.map(({ name = "", rawData }) => [name, Buffer.from(rawData!)]));
    const spec = { kind: "imported", model, files: new Map() } as const;
    const imported = networkOf(spec);
    expect(imported.parameters.map(({ name }) => name)).to.deep.equal(["layers.0.weight", "layers.0.bias"]);
    const tuned = await runTraining(
      { ...how, network: spec },
      await prepared(table, { validationShare: 0.2 }, form(2)),
    );
    const [before, after] = [tensorsOf(model), tensorsOf(tuned.model)];
    for (const name of ["preprocessing.offset", "preprocessing.scale"]) {
      expect(after.get(name)).to.deep.equal(before.get(name));
    }
    expect(after.get("layers.0.weight")).to.not.deep.equal(before.get("layers.0.weight"));
  });
});
