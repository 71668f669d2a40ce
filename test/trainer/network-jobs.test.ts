import { expect } from "chai";
import type { Version__Output } from "../../lib/gen/amaas/registry/v1/Version.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { readModel } from "../../lib/onnx/model.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { image, zipOf } from "../trainer-formats/archive-files.ts";
import { RunningTrainer } from "./running-trainer.ts";

const how = { optimizer: { adam: { learningRate: 0.01 } }, epochs: 2, batchSize: 8, seed: 5 } as const;
const tokens = Array.from({ length: 24 }, (_, row) => Array.from({ length: 5 }, (_, i) => (row + i) % 5).join()).join(
  "\n",
);
const dataset = `artifacts/${"0".repeat(64)}`;
const gpt = { tokenCount: 5, context: 4, width: 8, layerCount: 1, headCount: 2 } as const;

describe("the trainer's networks", function () {
  this.timeout(60_000);
  const running = new RunningTrainer();
  before(() => running.start());
  after(() => running.remove());

  it("take rows of a file in the shape that they need", async () => {
    const images = Array.from({ length: 24 }, (_, row) =>
      [...Array.from({ length: 16 }, (_, i) => (row * i) % 7), row % 3].join(),
    );
    const inputShape = [1, 4, 4];
    const layers = [
      { conv: { outputChannels: 4, kernel: [3], padding: [1], bias: false, initialWeight: { orthogonal: {} } } },
      { batchNorm: {} },
      { relu: {} },
      { residual: { layers: [{ conv: { outputChannels: 4, kernel: [1] } }] } },
      { globalAveragePool: {} },
      { linear: { outputSize: 3 } },
    ];
    const spec = { ...how, model: "models/images", loss: "LOSS_CROSS_ENTROPY" as const, layers, inputShape };
    const version = await trained({ ...spec, dataset: await running.uploadDataset(images.join("\n")) });
    const network = JSON.parse(version.lineage!.hyperParameters!.network!);
    expect(network).to.deep.include({ kind: "layers", inputShape: [1, 4, 4] });
    expect(network.layers[0]).to.deep.include({ kind: "conv", bias: false, initialWeight: { kind: "orthogonal" } });
    expect(network.layers[3].layers[0]).to.include({ kind: "conv", outputChannels: 4 });
    expect(shapesOf(version)).to.deep.equal([
      ["batch", 1, 4, 4],
      ["batch", 3],
    ]);
  });

  it("take images of the size that they have, and tell which pixels those are", async () => {
    const shades = Array.from({ length: 24 }, (_, index) => ({ isDark: index % 2 === 0, shade: index * 4 }));
    const files = await Promise.all(
      shades.map(async ({ isDark, shade }, index) => ({
        name: `${isDark ? "dark" : "light"}/${index}.png`,
        bytes: await image("png", isDark ? `rgb(${shade},0,0)` : `rgb(255,${shade},255)`, 6, 4),
      })),
    );
    const preset = { cnn: { channels: [2], kernel: 3, hiddenSizes: [4], outputSize: 2 } };
    const spec = { ...how, model: "models/shades", loss: "LOSS_CROSS_ENTROPY", preset, data: { images: {} } } as const;
    const version = await trained({ ...spec, dataset: await running.uploadDataset(zipOf(files)) });
    expect(shapesOf(version)[0]).to.deep.equal(["batch", 3, 4, 6]);
    expect(JSON.parse(version.lineage!.hyperParameters!.network!)).to.deep.include({ inputShape: [3, 4, 6] });
    expect(version.modelCard).to.contain("not scaled; red, green, blue, values 0 to 255");
    const { metadataProps } = readModel(await running.downloaded(version.variants[0]!.artifact));
    expect(metadataProps).to.deep.include({ key: "Image.BitmapPixelFormat", value: "Rgb8" });
  });

  it("take rows of tokens, and learn the next one", async () => {
    const spec = { ...how, model: "models/words", loss: "LOSS_NEXT_TOKEN", preset: { gpt } } as const;
    const version = await trained({ ...spec, dataset: await running.uploadDataset(tokens) });
    expect(version.metrics).to.include.keys("training_accuracy");
    expect(version.lineage!.hyperParameters).to.include({ loss: "next_token" });
    expect(shapesOf(version)).to.deep.equal([
      ["batch", 4],
      ["batch", 4, 5],
    ]);
  });

  for (const [what, change, reason, text] of [
    [
      "with layers beside a preset",
      { layers: [{ relu: {} }] },
      "SPEC_INVALID",
      "layers is a list of 1; needed: none beside a preset",
    ],
    [
      "with a shape beside a preset",
      { inputShape: [4] },
      "SPEC_INVALID",
      "input_shape is [4]; needed: none beside a preset",
    ],
    [
      "with a preset of no kind",
      { preset: {} },
      "SPEC_INVALID",
      "preset is of no kind; needed: one of mlp, cnn, resnet18",
    ],
    [
      "with heads that do not divide",
      { preset: { gpt: { ...gpt, headCount: 3 } } },
      "SPEC_INVALID",
      "layers[2].head_count is 3",
    ],
    [
      "with targets of its own",
      { data: { targetColumns: 1 } },
      "SPEC_INVALID",
      "data.target_columns is 1; needed: 0, because the tokens",
    ],
    [
      "with an initializer of no kind",
      { preset: null, inputShape: [4], layers: [{ linear: { outputSize: 2, initialBias: {} } }] },
      "SPEC_INVALID",
      "layers[0].initial_bias is of no kind; needed: an initializer, such as zeros",
    ],
  ] as const) {
    it(`are refused ${what}`, async () => {
      const spec = { ...how, model: "models/words", loss: "LOSS_NEXT_TOKEN", preset: { gpt }, dataset } as const;
      const refused = await running
        .submit({ ...spec, ...(change as TrainSpec) })
        .then(() => expect.fail("accepted"), remoteFaultOf);
      expect(refused.reason).to.equal(reason);
      expect(refused.message).to.contain(text);
    });
  }

  for (const [what, text, message] of [
    ["half a token", tokens.replace("1", "1.5"), "is 1.5; needed: a token, a whole number from 0"],
    ["a token that the network has not", tokens.replace("4", "5"), "is 5; needed: "],
    [
      "a row too short",
      "1,2,3,4",
      "the dataset has 4 feature columns; needed: 5, the 4 tokens that go in and the one behind them",
    ],
  ] as const) {
    it(`fail a job with ${what}`, async () => {
      const spec = { ...how, batchSize: 1, model: "models/words", loss: "LOSS_NEXT_TOKEN", preset: { gpt } } as const;
      const { state, error } = await running.ended(
        await running.submit({ ...spec, dataset: await running.uploadDataset(text) }),
      );
      expect(state).to.equal("STATE_FAILED");
      expect(error).to.include({ reason: "DATASET_INVALID" });
      expect(error!.message).to.contain(message);
    });
  }

  async function trained(spec: TrainSpec) {
    const job = await running.ended(await running.submit(spec));
    expect(job.error).to.equal(null);
    return running.registry.unary("GetVersion", { name: job.version });
  }
});

function shapesOf({ signature }: Version__Output) {
  return [...signature!.inputs, ...signature!.outputs].map(({ shape }) =>
    shape.map(({ size, symbol }) => symbol ?? size),
  );
}
