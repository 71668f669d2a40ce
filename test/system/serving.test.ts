import { expect } from "chai";
import { modelName } from "../../lib/resource-names.ts";
import { addingModel, withExternalData } from "../inference/models.ts";
import { upload } from "./publishing.ts";
import { RunningSuite } from "./running-suite.ts";
import { served } from "./served.ts";

describe("a suite that serves as its registry says", function () {
  this.timeout(60_000);
  const suite = new RunningSuite();
  const timeoutMs = 10_000;
  before(() => suite.start());
  after(() => suite.remove());

  /** Registers a model that adds a number which it keeps in another file. */
  const register = async (model: string, addend: number) => {
    const { model: bytes, files } = withExternalData(addingModel(addend), {
      constant: { location: "weights/a.bin", offset: 8 },
    });
    const artifact = await upload(suite.registry, Buffer.from(bytes));
    const externalFiles = await Promise.all(
      [...files].map(async ([location, file]) => ({ location, artifact: await upload(suite.registry, file) })),
    );
    const version = { variants: [{ artifact, externalFiles }] };
    const request = { parent: modelName(model), version, allowMissingModel: true };
    return suite.registry.unary("CreateVersion", request, { timeoutMs });
  };
  const point = (model: string, weights: Record<number, number>) => {
    const targets = Object.entries(weights).map(([version, weight]) => ({ version: Number(version), weight }));
    const alias = { name: `${modelName(model)}/aliases/default`, targets };
    return suite.registry.unary("UpdateAlias", { alias, allowMissing: true }, { timeoutMs });
  };
  /** The version that has answered, and what it adds to 1. */
  const ask = async (model: string, modelVersion = ""): Promise<[string, number]> => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], contents: { fp32Contents: [1, 1] } }];
    const reply = await suite.inference.unary("ModelInfer", { modelName: model, modelVersion, inputs }, { timeoutMs });
    return [reply.modelVersion, reply.rawOutputContents[0].readFloatLE()];
  };

  it("serves a model whose weights are in another file", async () => {
    const { name, variants } = await register("outside", 41);
    expect(variants[0].externalFiles).to.have.length(1);
    await point("outside", { 1: 1 });
    await served(suite.inference, "outside");
    expect([name, await ask("outside")]).to.deep.equal(["models/outside/versions/1", ["1", 42]]);
  });

  it("splits requests to an alias over its versions by weight", async () => {
    await register("split", 1);
    await register("split", 2);
    await point("split", { 1: 3, 2: 1 });
    for (const version of ["1", "2", ""]) await served(suite.inference, "split", version);
    const answers = new Map<string, number>();
    while (answers.size < 2) answers.set(...(await ask("split")));
    expect([...answers].sort()).to.deep.equal([
      ["1", 2],
      ["2", 3],
    ]);
  });

  it("says what its nodes can run and what they hold", async () => {
    const { nodes } = await suite.registry.unary("ListNodes", {}, { timeoutMs });
    const [{ capabilities, replicas }] = nodes;
    expect(capabilities!.executionProviders).to.deep.equal(["cpu"]);
    expect(capabilities!.runtime).to.match(/^onnxruntime \d/);
    expect(capabilities!.opsets["ai.onnx"]).to.be.at.least(18);
    expect(replicas.find(({ version }) => version === "models/outside/versions/1")).to.deep.include({
      state: "STATE_READY",
      variant: "default",
      executionProvider: "cpu",
    });
  });
});
