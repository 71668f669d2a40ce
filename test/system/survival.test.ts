import { expect } from "chai";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { upload } from "./publishing.ts";
import { RunningSuite } from "./running-suite.ts";
import { served } from "./served.ts";

const spec = {
  model: "models/line",
  layers: [{ linear: { inputSize: 2, outputSize: 8 } }, { tanh: {} }, { linear: { inputSize: 8, outputSize: 1 } }],
  loss: "LOSS_MEAN_SQUARED_ERROR",
  optimizer: { adam: { learningRate: 0.01 } },
  epochs: 5,
  batchSize: 16,
  seed: 1,
  targetAlias: "default",
} as const satisfies TrainSpec;

describe("a suite whose every process is killed", function () {
  this.timeout(90_000);
  const suite = new RunningSuite();
  before(() => suite.start());
  after(() => suite.remove());

  const run = async (request: TrainSpec) => {
    const { name } = await suite.trainer.unary("CreateJob", { job: { train: request } });
    for await (const _ of suite.trainer.serverStream("WatchJob", { name }));
    return suite.trainer.unary("GetJob", { name });
  };

  const everything = async () => ({
    models: (await suite.registry.unary("ListModels", {})).models,
    versions: (await suite.registry.unary("ListVersions", { parent: "models/line" })).versions,
    aliases: (await suite.registry.unary("ListAliases", { parent: "models/line" })).aliases,
    jobs: (await suite.trainer.unary("ListJobs", {})).jobs,
  });

  const predictions = async () => {
    const rows = Float32Array.from({ length: 200 }, (_, i) => Math.sin(i));
    const input = { name: "input", datatype: "FP32", shape: [100, 2] };
    for (const version of ["1", "2"]) await served(suite.inference, "line", version);
    return Promise.all(
      ["1", "2", "default", "first"].map(async (modelVersion) => {
        const request = {
          modelName: "line",
          modelVersion,
          inputs: [input],
          rawInputContents: [Buffer.from(rows.buffer)],
        };
        return (await suite.inference.unary("ModelInfer", request)).rawOutputContents[0].toString("hex");
      }),
    );
  };

  it("comes back with models, versions, aliases and ended jobs, and predicts the same byte for byte", async () => {
    const csv = Array.from({ length: 64 }, (_, i) => `${i % 8},${i >> 3},${(i % 8) * 2 - (i >> 3)}`).join("\n");
    const dataset = await upload(suite.registry, Buffer.from(csv));
    expect((await run({ ...spec, dataset })).state).to.equal("STATE_SUCCEEDED");
    const alias = { name: "models/line/aliases/first", targets: [{ version: 1 }] };
    await suite.registry.unary("UpdateAlias", { alias, allowMissing: true });
    expect((await run({ ...spec, dataset, seed: 2 })).version).to.equal("models/line/versions/2");
    const cancelled = await suite.trainer.unary("CreateJob", {
      job: { train: { ...spec, dataset, epochs: 1_000_000 } },
    });
    await suite.trainer.unary("CancelJob", { name: cancelled.name });
    const before = { ...(await everything()), predictions: await predictions() };

    await suite.killAll();
    await suite.start();

    expect({ ...(await everything()), predictions: await predictions() }).to.deep.equal(before);
  });

  it("finishes a job that was running when it was killed, as one version", async () => {
    const csv = Array.from({ length: 640 }, (_, i) => `${i % 8},${i >> 3},${(i % 8) * 2 - (i >> 3)}`).join("\n");
    const dataset = await upload(suite.registry, Buffer.from(csv));
    const { name } = await suite.trainer.unary("CreateJob", { job: { train: { ...spec, dataset, epochs: 600 } } });
    for await (const event of suite.trainer.serverStream("WatchJob", { name })) if (event.progressed) break;

    await suite.killAll();
    await suite.start();

    for await (const _ of suite.trainer.serverStream("WatchJob", { name }));
    expect((await suite.trainer.unary("GetJob", { name })).version).to.equal("models/line/versions/3");
    expect((await suite.registry.unary("ListVersions", { parent: "models/line" })).versions).to.have.length(3);
  });
});
