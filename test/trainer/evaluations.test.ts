import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { Column } from "../../lib/gen/amaas/trainer/v1/Column.ts";
import type { EvaluateSpec } from "../../lib/gen/amaas/trainer/v1/EvaluateSpec.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { splitRows } from "../../lib/split.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { rows, thirdsSpec } from "./thirds.ts";

describe("an evaluation", function () {
  this.timeout(60_000);
  const running = new RunningTrainer();
  let version = "";
  let measured: Readonly<Record<string, number>> = {};
  let dataset = "";

  before(async () => {
    await running.start();
    const job = await running.ended(await running.submit(await thirdsSpec(running)));
    ({ version, metrics: measured } = job);
    dataset = await running.uploadDataset(rows);
  });
  after(() => running.remove());

  const submitted = async (evaluate: EvaluateSpec) =>
    (
      await running.trainer.unary("CreateJob", {
        job: { evaluate: { version, dataset, loss: "LOSS_CROSS_ENTROPY", ...evaluate } },
      })
    ).name;
  const ended = async (evaluate: EvaluateSpec) => running.ended(await submitted(evaluate));

  it("measures a version on any dataset, as it is served", async () => {
    const job = await ended({});
    expect(job, JSON.stringify(job.error)).to.include({ state: "STATE_SUCCEEDED", version: "" });
    expect(job.metrics).to.include.all.keys("accuracy", "f1", "auc", "log_loss").and.to.include({ rows: 40 });
  });

  it("gives what the training has measured, on the rows that it has held out", async () => {
    const lines = rows.split("\n").map((row) => `${row},x`);
    const heldOut = [...splitRows(40, 0.25, 5).validation].map((row) => lines[row]);
    const columns: Column[] = [{ name: "extra", role: "ROLE_IGNORED" }];
    const other = await running.uploadDataset(["a,b,class,extra", ...heldOut].join("\n"));
    const { metrics } = await ended({ dataset: other, data: { csv: { header: true }, columns } });
    expect(metrics).to.include({ rows: 10 });
    for (const name of ["accuracy", "f1", "log_loss"]) {
      expect(metrics[name], name).to.be.closeTo(measured[`validation_${name}`]!, 1e-5);
    }
  });

  for (const [title, spec, words] of [
    ["a version that there is not", { version: "models/thirds/versions/99" }, /99/],
    ["no loss", { loss: "LOSS_UNSPECIFIED" }, /loss is LOSS_UNSPECIFIED; needed: one of LOSS_MEAN_SQUARED_ERROR/],
    [
      "an encoding",
      { data: { columns: [{ name: "column0", standard: {} }] } },
      /data.columns\[0\] is standard; needed: no encoding/,
    ],
    ["a split", { data: { split: { random: {} } } }, /data.split is random; needed: none/],
    ["too many rows per call", { batchSize: 65_537 }, /batch_size is 65537/],
  ] satisfies [string, EvaluateSpec, RegExp][]) {
    it(`of ${title} is refused`, async () => {
      const fault = await submitted(spec).then(() => expect.fail("it was accepted"), remoteFaultOf);
      expect([status.INVALID_ARGUMENT, status.NOT_FOUND]).to.include(fault.code);
      expect(fault.message).to.match(words);
    });
  }

  it("fails on rows that do not fit the version, and says which", async () => {
    const job = await ended({ dataset: await running.uploadDataset("1,2,0\n1,2,7\n") });
    expect(job).to.include({ state: "STATE_FAILED" });
    expect(job.error).to.include({ reason: "DATASET_INVALID" });
    expect(job.error!.message).to.include('line 2, column "column2" is 7; needed: a class, a whole number from 0 to 2');
  });
});
