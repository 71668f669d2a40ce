import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { PredictSpec } from "../../lib/gen/amaas/trainer/v1/PredictSpec.ts";
import type { GRPCInferenceServiceHandlers } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { childProcesses } from "../child-processes.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { thirdsSpec } from "./thirds.ts";

/** Nodes whose model gives the sum of two numbers and their order; every fifth call finds nobody. */
class Nodes {
  readonly #server = new RpcServer(
    { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 24, drainTimeoutMs: 0 },
    createLog("gateway", "silent"),
  );
  /** The first number of each row that was answered. */
  readonly answered: number[] = [];
  readonly versions = new Set<string>();
  atOnceMax = 0;
  /** Rows whose first number is this or more get no answer. */
  silentFrom = Number.POSITIVE_INFINITY;
  #atOnce = 0;
  #calls = 0;

  async start(): Promise<string> {
    this.#server.implement<GRPCInferenceServiceHandlers>("inference.GRPCInferenceService", {
      ModelMetadata: ({ name }) => ({
        name,
        inputs: [{ name: "input", datatype: "FP32", shape: [-1, 2] }],
        outputs: [{ name: "sum", datatype: "FP32", shape: [-1, 1] }],
      }),
      ModelInfer: async ({ modelVersion, inputs, rawInputContents }, call) => {
        if (++this.#calls % 5 === 0) throw new ServiceError("MODEL_NOT_READY", "nobody is there");
        this.atOnceMax = Math.max(this.atOnceMax, ++this.#atOnce);
        this.versions.add(modelVersion);
        const numbers = new Float32Array(new Uint8Array(rawInputContents[0]!).buffer);
        const rowCount = Number(inputs[0]!.shape[0]);
        // The later rows of a batch are answered sooner, so that order is not for free.
        await new Promise((resolve) => setTimeout(resolve, numbers[0]! % 3));
        if (numbers[0]! >= this.silentFrom) {
          await new Promise((resolve) => call.signal.addEventListener("abort", resolve, { once: true }));
        }
        this.#atOnce--;
        const rows = Array.from({ length: rowCount }, (_, row) => numbers.subarray(2 * row, 2 * row + 2));
        this.answered.push(...rows.map(([first]) => first!));
        const sums = Buffer.from(Float32Array.from(rows, ([a, b]) => a! + b!).buffer);
        const least = Buffer.from(BigInt64Array.from(rows, ([a, b]) => BigInt(Number(a! > b!))).buffer);
        return {
          outputs: [
            { name: "sum", datatype: "FP32", shape: [rowCount, 1] },
            { name: "order", datatype: "INT64", shape: [rowCount] },
          ],
          rawOutputContents: [sums, least],
        };
      },
    });
    return `127.0.0.1:${await this.#server.start()}`;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

describe("a batch inference", function () {
  this.timeout(120_000);
  const running = new RunningTrainer();
  const nodes = new Nodes();
  let version = "";

  before(async () => {
    running.settings = { AMAAS_GATEWAY_ADDRESS: await nodes.start() };
    await running.start();
    const job = await running.ended(await running.submit({ ...(await thirdsSpec(running)), targetAlias: "canary" }));
    ({ version } = job);
  });
  after(async () => {
    await running.remove();
    await nodes.stop();
  });

  const submitted = async (predict: PredictSpec) =>
    (await running.trainer.unary("CreateJob", { job: { predict: { target: version, ...predict } } })).name;
  const textOf = async (artifact: string) => {
    const chunks: Buffer[] = [];
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name: artifact }))
      chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const table = (count: number) =>
    ["id,a,b", ...Array.from({ length: count }, (_, i) => `row ${i},${i},${count - i}`)].join("\n");
  const data = { csv: { header: true }, columns: [{ name: "id", role: "ROLE_IGNORED" as const }] };

  it("answers every row in order, and copies the columns that are no features", async () => {
    const dataset = await running.uploadDataset(table(1000));
    const spec = {
      target: "models/thirds/aliases/canary",
      dataset,
      data,
      batchSize: 16,
      outputFormat: "OUTPUT_FORMAT_CSV",
    } as const;
    const job = await running.ended(await submitted(spec));
    expect(job, JSON.stringify(job.error)).to.include({ state: "STATE_SUCCEEDED", version });
    expect(job.metrics).to.deep.equal({ rows: 1000 });
    const lines = (await textOf(job.output)).trimEnd().split("\n");
    expect(lines[0]).to.equal("id,sum,order");
    expect(lines.slice(1)).to.deep.equal(
      Array.from({ length: 1000 }, (_, i) => `row ${i},1000.0,${Number(i > 1000 - i)}`),
    );
    expect(nodes.atOnceMax).to.be.within(2, 4);
    expect([...nodes.versions]).to.deep.equal(["1"]);
    const { holds } = await running.registry.unary("ListHolds", { resource: job.output });
    expect(holds.map(({ holder }) => holder)).to.deep.equal([job.name]);
  });

  it("goes on behind the parts that an earlier attempt has finished, whose process was killed", async () => {
    const count = 9000;
    const dataset = await running.uploadDataset(table(count));
    nodes.answered.length = 0;
    nodes.silentFrom = 5000;
    const name = await submitted({ dataset, data, batchSize: 256, outputFormat: "OUTPUT_FORMAT_CSV" });
    for await (const { logged } of running.trainer.serverStream("WatchJob", { name })) {
      if (logged?.text.startsWith("part 0 is kept: 4096 of 9000 rows")) break;
    }
    for (const id of childProcesses("job-process/main")) process.kill(id, "SIGKILL");
    nodes.silentFrom = Number.POSITIVE_INFINITY;
    const job = await running.ended(name);
    expect(job, JSON.stringify(job.error)).to.include({ state: "STATE_SUCCEEDED", attempts: 2 });
    const lines = (await textOf(job.output)).trimEnd().split("\n").slice(1);
    expect(lines.map((line) => line.split(",")[0])).to.deep.equal(Array.from({ length: count }, (_, i) => `row ${i}`));
    expect(nodes.answered.filter((first) => first < 4096)).to.have.length(4096);
  });

  for (const [title, spec, words] of [
    ["a target that is none", { target: "models/thirds/versions/x" }, /target/],
    ["a version that there is not", { target: "models/thirds/versions/77" }, /77/],
    ["an alias that there is not", { target: "models/thirds" }, /there is no models\/thirds\/aliases\/default/],
    ["too many calls at once", { parallelCalls: 257 }, /parallel_calls is 257; needed: a whole number in \[1, 256\]/],
    ["targets", { data: { targetColumns: 1 } }, /data.target_columns is 1; needed: 0/],
  ] satisfies [string, PredictSpec, RegExp][]) {
    it(`of ${title} is refused`, async () => {
      const dataset = await running.uploadDataset(table(3));
      const fault = await submitted({ dataset, ...spec }).then(() => expect.fail("it was accepted"), remoteFaultOf);
      expect([status.INVALID_ARGUMENT, status.NOT_FOUND]).to.include(fault.code);
      expect(fault.message).to.match(words);
    });
  }

  it("fails where the columns do not fit the version", async () => {
    const dataset = await running.uploadDataset(table(3));
    const job = await running.ended(await submitted({ dataset, data: { csv: { header: true } } }));
    expect(job).to.include({ state: "STATE_FAILED" });
    expect(job.error!.message).to.match(/a row of the file has 3 values|holds texts/);
  });
});
