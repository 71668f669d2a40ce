import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { doublingModel } from "./doubling.ts";
import { publish, upload } from "./publishing.ts";
import { RunningSuite } from "./running-suite.ts";
import { served } from "./served.ts";

describe("bad input at the gateway", function () {
  this.timeout(60_000);
  const suite = new RunningSuite();
  before(async () => {
    await suite.start();
    await publish(suite.registry, "doubling", doublingModel());
    await served(suite.inference, "doubling");
  });
  after(() => suite.remove());

  const fault = (call: Promise<unknown>) => call.then(() => expect.fail("the call succeeded"), remoteFaultOf);
  const row = Buffer.from(Float32Array.from([1, 2]).buffer);
  const good: ModelInferRequest = {
    modelName: "doubling",
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
    rawInputContents: [row],
  };
  const infer = (request: ModelInferRequest, timeoutMs?: number) =>
    suite.inference.unary("ModelInfer", request, timeoutMs === undefined ? {} : { timeoutMs });

  afterEach("the next call works", async () => {
    expect((await infer(good)).rawOutputContents[0].readFloatLE(4)).to.equal(4);
  });

  const x = good.inputs![0];
  const cases: readonly (readonly [string, Partial<ModelInferRequest>, readonly string[]])[] = [
    ["a tensor of the wrong type", { inputs: [{ ...x, datatype: "FP64" }] }, ["x", "FP64", "FP32"]],
    ["a tensor of an unknown type", { inputs: [{ ...x, datatype: "FLOAT" }] }, ["x", "FLOAT"]],
    ["a tensor of the wrong shape", { inputs: [{ ...x, shape: [2, 1] }] }, ["x", "2"]],
    ["a tensor of the wrong rank", { inputs: [{ ...x, shape: [2] }] }, ["x", "[2]"]],
    ["a negative dimension", { inputs: [{ ...x, shape: [-1, 2] }] }, ["x", "-1"]],
    [
      "dimensions whose product overflows",
      { inputs: [{ ...x, shape: ["9007199254740993", 2] }] },
      ["x", "9007199254740993"],
    ],
    ["too few bytes", { rawInputContents: [row.subarray(1)] }, ["x", "7", "8"]],
    ["too many bytes", { rawInputContents: [Buffer.concat([row, row])] }, ["x", "16", "8"]],
    ["no bytes at all", { rawInputContents: [] }, ["x"]],
    ["bytes for more inputs than there are", { rawInputContents: [row, row] }, ["2", "1"]],
    [
      "bytes and contents at once",
      { inputs: [{ ...x, contents: { fp32Contents: [1, 2] } }] },
      ["contents field must not be specified when using raw_input_contents for 'x' for model 'doubling'"],
    ],
    ["a missing input", { inputs: [], rawInputContents: [] }, ["x"]],
    ["an unknown input", { inputs: [{ ...x, name: "z" }] }, ["z", "x"]],
    ["an input that is given twice", { inputs: [x, x], rawInputContents: [row, row] }, ["x"]],
    ["an unknown output", { outputs: [{ name: "q" }] }, ["q", "y"]],
  ];
  for (const [what, change, texts] of cases) {
    it(`answers ${what} with INVALID_ARGUMENT that names it`, async () => {
      const refused = await fault(infer({ ...good, ...change }));
      expect(refused.code, refused.message).to.equal(status.INVALID_ARGUMENT);
      for (const text of texts) expect(refused.message).to.contain(text);
    });
  }

  it("answers a deadline that has passed with DEADLINE_EXCEEDED", async () => {
    expect((await fault(infer(good, 0))).code).to.equal(status.DEADLINE_EXCEEDED);
  });

  it("refuses an artifact whose digest differs, and names both", async () => {
    const parts = [{ header: { sha256: "0".repeat(64), sizeBytes: 3 } }, { chunk: Buffer.from("abc") }];
    const refused = await fault(suite.registry.clientStream("UploadArtifact", parts));
    expect(refused).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_DIGEST_MISMATCH" });
    expect(refused.message).to.contain("0".repeat(64)).and.to.contain("ba7816bf");
  });

  for (const [what, bytes] of [
    ["text", Buffer.from("this is not a model")],
    ["nothing", Buffer.alloc(0)],
    ["random bytes", randomBytes(5000)],
    ["half a model", doublingModel().subarray(0, 40)],
  ] as const) {
    it(`refuses to register ${what} as a version, keeps the reason, and never serves it`, async () => {
      const artifact = await upload(suite.registry, bytes);
      const request = { parent: "models/broken", version: { variants: [{ artifact }] }, allowMissingModel: true };
      const refused = await fault(suite.registry.unary("CreateVersion", request));
      expect(refused).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_INVALID" });
      const version = await suite.registry.unary("GetVersion", { name: refused.metadata.version });
      expect(version.state).to.equal("VERSION_STATE_REJECTED");
      expect(refused.message).to.contain(version.stateReason);
      const unserved = await fault(
        infer({ ...good, modelName: "broken", modelVersion: version.name.split("/").at(-1) }),
      );
      expect(unserved.reason, unserved.message).to.be.oneOf([
        "MODEL_NOT_FOUND",
        "VERSION_NOT_FOUND",
        "MODEL_NOT_READY",
      ]);
    });
  }
});
