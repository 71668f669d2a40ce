import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { DataSpec } from "../../lib/gen/amaas/trainer/v1/DataSpec.ts";
import type { Job__Output } from "../../lib/gen/amaas/trainer/v1/Job.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { labelsOfOutput } from "../../lib/onnx/labels.ts";
import { readModel } from "../../lib/onnx/model.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { RunningTrainer } from "./running-trainer.ts";

describe("a training job over columns", function () {
  this.timeout(120_000);
  const running = new RunningTrainer();
  before(() => running.start());
  after(() => running.remove());

  /** Red things are large and cheap, blue ones are small and dear. */
  const rows = Array.from({ length: 60 }, (_, row) => {
    const isRed = row % 2 === 0;
    return `${row},${isRed ? "red" : "blue"},${isRed ? 900 + row : 10 + row},${isRed ? "cheap" : "dear"}`;
  });
  const text = `id,colour,size,price\n${rows.join("\n")}\n`;
  const data: DataSpec = {
    csv: { header: true },
    columns: [
      { name: "id", role: "ROLE_IGNORED" },
      { name: "colour", oneHot: {}, mostFrequent: {} },
      { name: "size", standard: {}, mean: {} },
    ],
    split: { stratified: {} },
  };
  const spec = async (changes: Partial<TrainSpec> = {}): Promise<TrainSpec> => ({
    model: "models/prices",
    dataset: await running.uploadDataset(text),
    data,
    layers: [{ linear: { outputSize: 2 } }, { softmax: {} }],
    loss: "LOSS_CROSS_ENTROPY",
    optimizer: { adam: { learningRate: 0.05 } },
    epochs: 60,
    batchSize: 8,
    validationShare: 0.2,
    ...changes,
  });

  let made: Promise<Job__Output> | undefined;
  /** The same job for all who look at what it gives. */
  const once = () => (made ??= spec().then(async (asked) => running.ended(await running.submit(asked))));

  it("gives a version that takes raw values and names its classes", async () => {
    const job = await once();
    expect(job.error?.message).to.equal(undefined);
    expect(job.metrics.validation_accuracy).to.equal(1);
    expect(job.metrics.validation_rows).to.equal(12);
    const { signature, variants, lineage } = await running.registry.unary("GetVersion", { name: job.version });
    expect(signature!.inputs.map(({ name, dataType }) => [name, dataType])).to.deep.equal([
      ["colour", "BYTES"],
      ["size", "FP32"],
    ]);
    expect(JSON.parse(lineage!.hyperParameters!.network!)).to.deep.include({ inputShape: [3] });
    const model = await running.downloaded(variants[0]!.artifact);
    const { metadataProps = [] } = readModel(model);
    const metadata = Object.fromEntries(metadataProps.map(({ key = "", value = "" }) => [key, value]));
    expect(labelsOfOutput("output", metadata)).to.deep.equal(["cheap", "dear"]);
    const session = await InferenceSession.create(model);
    const feeds = {
      colour: new Tensor("string", ["red", "blue", ""], [3, 1]),
      size: new Tensor("float32", [950, 20, 40], [3, 1]),
    };
    const shares = [...((await session.run(feeds)).output!.data as Float32Array)];
    await session.release();
    expect([shares[0]! > 0.5, shares[3]! > 0.5]).to.deep.equal([true, true]);
  });

  it("gives a version that is measured on raw values too, by the names of its classes, and a card with its columns", async () => {
    const { version } = await once();
    const columns = [
      { name: "id", role: "ROLE_IGNORED" as const },
      { name: "colour", role: "ROLE_FEATURE" as const },
    ];
    const evaluate = { version, dataset: await running.uploadDataset(text), loss: "LOSS_CROSS_ENTROPY" as const };
    const job = { evaluate: { ...evaluate, data: { csv: { header: true }, columns } } };
    const { name } = await running.trainer.unary("CreateJob", { job });
    const { metrics, error } = await running.ended(name);
    expect(error?.message).to.equal(undefined);
    expect(metrics).to.include({ accuracy: 1, f1: 1, auc: 1, rows: 60 });
    const { modelCard } = await running.registry.unary("GetVersion", { name: version });
    expect(modelCard).to.match(/\| colour \| feature \| one\\_hot, 2 categories, missing: (red|blue) \|/);
    expect(modelCard).to.match(/\| cheap \| 6 \| 0 \|/);
  });

  it("may begin with a version that has an input for each column, and takes the columns of a file by those names", async () => {
    const first = await once();
    const further = async (of: string, columns: DataSpec["columns"] = []) => {
      const own = { dataset: await running.uploadDataset(of), layers: [], initialVersion: first.version, epochs: 1 };
      const settings = { csv: { header: true }, columns, split: { stratified: {} } };
      return running.ended(await running.submit(await spec({ ...own, data: settings })));
    };
    const moved = rows
      .map((row) => row.split(","))
      .map(([id, colour, size, price]) => [price, id, size, colour].join());
    const inOtherOrder = `price,id,size,colour\n${moved.join("\n")}\n`;
    const columns = [{ name: "id", role: "ROLE_IGNORED" as const }];
    const job = await further(inOtherOrder, columns);
    expect(job.error?.message).to.equal(undefined);
    expect(job.metrics.validation_accuracy).to.equal(1);
    // What is no input and has no role is the target, also where the version is measured.
    const data = { csv: { header: true }, columns };
    const dataset = await running.uploadDataset(inOtherOrder);
    const evaluate = { version: job.version, dataset, loss: "LOSS_CROSS_ENTROPY" as const, data };
    const { name } = await running.trainer.unary("CreateJob", { job: { evaluate } });
    expect((await running.ended(name)).metrics).to.include({ accuracy: 1, rows: 60 });
    const [before, after] = await Promise.all(
      [first, job].map(({ version }) => running.registry.unary("GetVersion", { name: version })),
    );
    expect(after!.signature).to.deep.equal(before!.signature);
  });

  it("is refused at once for a split that cannot be, and fails for a column that the file has not", async () => {
    const fault = await running
      .submit(await spec({ validationShare: 0 }))
      .then(() => expect.fail("accepted"), remoteFaultOf);
    expect(fault.message).to.equal("validation_share is 0; needed: more than 0, for data.split.stratified");
    const columns = [...data.columns!, { name: "sise", standard: {} }];
    const { error } = await running.ended(await running.submit(await spec({ data: { ...data, columns } })));
    expect(error).to.deep.equal({
      reason: "SPEC_INVALID",
      message: 'data.columns[3].name is "sise"; needed: a column of the file; the nearest is "size"',
    });
  });
});
