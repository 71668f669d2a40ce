import { expect } from "chai";
import { nextCall, runDemo } from "../../examples/digits/demo.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { RunningSuite } from "./running-suite.ts";

describe("the main job", function () {
  this.timeout(90_000);
  const suite = new RunningSuite();
  const lines: string[] = [];

  before(async () => {
    await suite.start();
    await runDemo(suite.gateway, { line: (text) => lines.push(text), status: (text) => lines.push(text) });
  });
  after(() => suite.remove());

  it("shows progress with loss and accuracy, then the version, accuracy, speed and three digits", () => {
    const text = lines.join("\n");
    expect(text).to.match(/epoch +1\/\d+, loss \d\.\d+, validation loss \d\.\d+, accuracy \d+\.\d %/);
    expect(text).to.match(/trained +models\/digits\/versions\/1 by jobs\/\w+, validation accuracy 9\d\.\d %/);
    expect(text).to.match(/predicted +359 digits, 9[6-9]\.\d % right; \d+ calls\/s, 8 at a time; p50 .* p90 .* p99 /);
    expect(text).to.match(/\d \(\d+\.\d %\), is \d +\d \(\d+\.\d %\), is \d +\d \(\d+\.\d %\), is \d$/);
  });

  it("leaves a version with its metrics and its whole lineage", async () => {
    const version = await suite.registry.unary("GetVersion", { name: "models/digits/versions/default" });
    expect(version.name).to.equal("models/digits/versions/1");
    expect(version.metrics.validation_accuracy).to.be.at.least(0.96);
    expect(version.lineage).to.deep.include({ seed: 7 });
    expect(version.lineage!.job).to.match(/^jobs\/\w+$/);
    expect(version.lineage!.datasets[0]).to.match(/^artifacts\/[0-9a-f]{64}$/);
    expect(version.lineage!.hyperParameters).to.include({ epochs: "60", batch_size: "32", "optimizer.kind": "adam" });
    expect(version.signature!.inputs[0]).to.deep.include({ name: "input", dataType: "FP32" });
    expect(version.signature!.inputs[0].shape.map(({ kind }) => kind)).to.deep.equal(["symbol", "size"]);
  });

  it("answers the same by number, by alias and without a version", async () => {
    const request = { modelName: "digits", inputs: [{ name: "input", datatype: "FP32", shape: [2, 64] }] };
    const raw = { rawInputContents: [Buffer.alloc(2 * 64 * 4)] };
    const answers = await Promise.all(
      ["", "1", "default"].map((modelVersion) =>
        suite.inference.unary("ModelInfer", { ...request, ...raw, modelVersion }),
      ),
    );
    expect(answers.map(({ modelVersion }) => modelVersion)).to.deep.equal(["1", "1", "1"]);
    for (const { rawOutputContents } of answers) expect(rawOutputContents).to.deep.equal(answers[0].rawOutputContents);
  });

  for (const [request, named] of [
    [{ modelName: "digit" }, ["Request for unknown model: 'digit'", "digits"]],
    [{ modelName: "digits", modelVersion: "9" }, ["9", "1", "default"]],
    [{ modelName: "digits", modelVersion: "canary" }, ["canary", "1", "default"]],
  ] as const) {
    it(`answers ${JSON.stringify(request)} with NOT_FOUND that names what exists`, async () => {
      const fault = await suite.inference
        .unary("ModelInfer", request)
        .then(() => expect.fail("it was found"), remoteFaultOf);
      expect(fault.code).to.equal(5);
      for (const text of named) expect(fault.message).to.contain(text);
    });
  }

  it("carries one request id through gateway, trainer and registry", async () => {
    const { jobs } = await suite.trainer.unary("ListJobs", {}, { requestId: "find-me-everywhere" });
    expect(jobs).to.have.length(1);
    const model = { name: "models/digits", owner: "tests" };
    await suite.registry.unary(
      "UpdateModel",
      { model, updateMask: { paths: ["owner"] } },
      { requestId: "find-me-everywhere" },
    );
    const { readFile } = await import("node:fs/promises");
    for (const service of ["gateway", "trainer", "registry"]) {
      expect(await readFile(`${suite.folder}/logs/${service}.log`, "utf8"), service).to.contain("find-me-everywhere");
    }
  });

  it("ends with a call that can be typed", async () => {
    expect(await nextCall("127.0.0.1:8001")).to.match(
      /^grpcurl -plaintext -d '\{"model_name":"digits".*' 127\.0\.0\.1:8001 inference\./,
    );
  });
});
