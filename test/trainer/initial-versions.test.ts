import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { type ModelProto, readModel, writeModel } from "../../lib/onnx/model.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { fileOf } from "../repository.ts";
import { RunningTrainer } from "./running-trainer.ts";

const rows = readFileSync(fileOf("examples/digits/digits.csv"), "utf8").trimEnd().split("\n");
/** Whether a digit is odd, in the place of which it is. */
const odd = rows.map((row) => row.replace(/\d+$/, (digit) => String(Number(digit) % 2))).join("\n");

describe("a job that begins with a version", function () {
  this.timeout(60_000);
  const running = new RunningTrainer();
  let spec: TrainSpec;
  let digitsVersion: string;

  before(async () => {
    await running.start();
    spec = {
      model: "models/digits",
      dataset: await running.uploadDataset(rows.join("\n")),
      preset: { mlp: { inputShape: [64], hiddenSizes: [32], outputSize: 10 } },
      loss: "LOSS_CROSS_ENTROPY",
      optimizer: { adam: { learningRate: 0.002 } },
      epochs: 12,
      batchSize: 32,
      seed: 2,
      validationShare: 0.2,
    };
    digitsVersion = await trained(spec);
  });
  after(() => running.remove());

  it("gives it a new head, and leaves what is frozen as it was, to the last bit", async () => {
    const fineTuned = await trained({
      ...spec,
      model: "models/odd",
      dataset: await running.uploadDataset(odd),
      preset: null,
      initialVersion: digitsVersion,
      head: { outputSize: 2 },
      frozen: ["layers.*"],
      optimizer: { adam: { learningRate: 0.01 } },
      epochs: 5,
    });
    const version = await running.registry.unary("GetVersion", { name: fineTuned });
    expect(version.metrics.validation_accuracy).to.be.at.least(0.9);
    expect(version.lineage!.parentVersion).to.equal(digitsVersion);
    expect(JSON.parse(version.lineage!.hyperParameters.network!)).to.deep.equal({
      kind: "imported",
      head: { outputSize: 2, after: "" },
    });
    const [before, after] = [tensorsOf(await modelOf(digitsVersion)), tensorsOf(await modelOf(fineTuned))];
    expect([...after.keys()]).to.have.members(["layers.0.weight", "layers.0.bias", "head.weight", "head.bias"]);
    for (const name of ["layers.0.weight", "layers.0.bias"]) expect(after.get(name)).to.deep.equal(before.get(name));
    expect(version.signature!.outputs[0]!.shape.at(-1)).to.deep.include({ size: 2 });
  });

  it("goes on from its weights, wherever its files keep them", async () => {
    const exported = readModel(readFileSync(fileOf("test/fixtures/exported-torch/images-graph-18.onnx")));
    const { model, file } = withExternalData(exported);
    const artifact = await uploaded(writeModel(model));
    const externalFiles = [{ location: "weights.bin", artifact: await uploaded(file) }];
    const { name } = await running.registry.unary("CreateVersion", {
      parent: "models/images",
      version: { variants: [{ artifact, externalFiles }] },
      allowMissingModel: true,
    });
    const images = Array.from({ length: 24 }, (_, row) => [...Array(64).fill(row % 3), row % 3].join()).join("\n");
    const same = { ...spec, model: "models/images", preset: null, initialVersion: name, csv: null, validationShare: 0 };
    const dataset = await running.uploadDataset(images);
    // A step that is too small to move anything.
    const slow = { sgd: { learningRate: 1e-30 } };
    const next = await trained({ ...same, dataset, optimizer: slow, epochs: 1, batchSize: 8 });
    const [before, after] = [tensorsOf(exported), tensorsOf(await modelOf(next))];
    for (const [parameter, bytes] of after) {
      if (/weight|bias/.test(parameter)) expect(bytes).to.deep.equal(before.get(parameter));
    }
    const { signature } = await running.registry.unary("GetVersion", { name: next });
    expect([signature!.inputs[0]!.name, signature!.outputs[0]!.name]).to.deep.equal(["x", "scores"]);
  });

  for (const [what, change, reason, text] of [
    ["that is not there", { initialVersion: "models/none/versions/7" }, "MODEL_NOT_FOUND", "models/none"],
    ["by an alias, which may move", { initialVersion: "models/digits/versions/default" }, "REQUEST_INVALID", "default"],
    [
      "and has layers too",
      { layers: [{ relu: {} }] },
      "SPEC_INVALID",
      "layers is set; needed: none beside an initial_version",
    ],
    [
      "and a head after what it lacks",
      { head: { outputSize: 2, after: "lost" } },
      "SPEC_INVALID",
      "head.after is lost",
    ],
    ["and a head of no outputs", { head: {} }, "SPEC_INVALID", "head.output_size is 0"],
    ["and a head, but no version", { initialVersion: "", head: { outputSize: 2 } }, "SPEC_INVALID", "head is set"],
  ] as const satisfies readonly (readonly [string, Partial<TrainSpec>, string, string])[]) {
    it(`is refused with a version ${what}`, async () => {
      const asked = { ...spec, preset: null, initialVersion: digitsVersion, ...change } as TrainSpec;
      const fault = await running.submit(asked).then(() => expect.fail("it was accepted"), remoteFaultOf);
      expect(fault).to.deep.include({ reason });
      expect(fault!.message).to.contain(text);
    });
  }

  async function trained(asked: TrainSpec): Promise<string> {
    const { version, error } = await running.ended(await running.submit(asked));
    expect(error).to.equal(null);
    return version;
  }

  async function uploaded(bytes: Uint8Array): Promise<string> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const parts = [{ header: { sha256, sizeBytes: bytes.byteLength } }, { chunk: Buffer.from(bytes) }];
    return (await running.registry.clientStream("UploadArtifact", parts)).name;
  }

  async function modelOf(name: string): Promise<ModelProto> {
    const { variants } = await running.registry.unary("GetVersion", { name });
    const chunks: Uint8Array[] = [];
    const { artifact } = variants[0]!;
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name: artifact }))
      chunks.push(chunk);
    return readModel(Buffer.concat(chunks));
  }
});

function tensorsOf({ graph }: ModelProto): ReadonlyMap<string, Buffer> {
  return new Map(graph!.initializer!.map(({ name = "", rawData }) => [name, Buffer.from(rawData!)]));
}

/** The model with all weights in one file beside it. */
function withExternalData(model: ModelProto): { readonly model: ModelProto; readonly file: Uint8Array } {
  const parts: Uint8Array[] = [];
  const initializer = model.graph!.initializer!.map((tensor) => {
    const { rawData, ...rest } = tensor;
    if (tensor.dataType !== 1) return tensor;
    const offset = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    parts.push(rawData!);
    const externalData = Object.entries({ location: "weights.bin", offset, length: rawData!.byteLength });
    return {
      ...rest,
      dataLocation: 1,
      externalData: externalData.map(([key, value]) => ({ key, value: String(value) })),
    };
  });
  return { model: { ...model, graph: { ...model.graph, initializer } }, file: Buffer.concat(parts) };
}
