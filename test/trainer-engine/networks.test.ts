import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { Layer } from "../../services/trainer/graph/layers/layer.ts";
import { type NetworkSpec, networkOf } from "../../services/trainer/graph/network-spec.ts";

const image = [3, 32, 32];
const gpt = { kind: "gpt", tokenCount: 96, context: 16, width: 8, layerCount: 2, headCount: 2 } as const;

describe("a well-known network", () => {
  // The counts are those of the papers' networks, or of torchvision's.
  for (const [spec, parameterCount, outputShape] of [
    [{ kind: "mlp", inputShape: [4], hiddenSizes: [8], outputSize: 3 }, 67, [3]],
    [{ kind: "mlp", inputShape: [2, 2], hiddenSizes: [], outputSize: 3 }, 15, [3]],
    [{ kind: "cnn", inputShape: [1, 28, 28], outputSize: 10 }, 107_786, [10]],
    [{ kind: "resnet18", inputShape: image, outputSize: 10 }, 11_173_962, [10]],
    [{ kind: "resnet18", inputShape: [3, 224, 224], outputSize: 1000, imagenetStem: true }, 11_689_512, [1000]],
    [{ ...gpt, width: 256, layerCount: 4, headCount: 4, context: 128 }, 3_241_472, [128, 96]],
    [
      { kind: "transformer_encoder", tokenCount: 9, context: 5, width: 4, layerCount: 1, headCount: 2, outputSize: 2 },
      338,
      [2],
    ],
  ] as const) {
    it(`has the parameters of ${JSON.stringify(spec)}`, () => {
      expect(networkOf(spec as NetworkSpec)).to.deep.include({ parameterCount, outputShape });
    });
  }

  it("gpt scores by the weights of its embedding where they are tied", () => {
    const [tied, untied] = [networkOf({ ...gpt, tied: true }), networkOf(gpt)];
    expect(untied.parameterCount - tied.parameterCount).to.equal(96 * 8);
    expect(tied.parameters.map(({ name }) => name)).to.not.include(untied.parameters.at(-1)!.name);
  });

  for (const [spec, message] of [
    [{ kind: "mpl" }, "network.kind is mpl; needed: one of layers,"],
    [{ ...gpt, layerCount: 0 }, "layer_count is 0; needed: a whole number in [1, 128]"],
    [{ ...gpt, headCount: 3 }, "layers[2].head_count is 3; needed: a divisor of the width, 8"],
    [{ kind: "cnn", inputShape: image, outputSize: 2, kernel: 4 }, "cnn.kernel is 4; needed: an odd number"],
    [
      { kind: "cnn", inputShape: [3, 2, 2], outputSize: 2 },
      "layers[5] (max_pool) is given rows of the shape [16, 1, 1]",
    ],
    [
      { kind: "mlp", inputShape: [4], hiddenSizes: [2], outputSize: 2, activation: "rleu" },
      "mlp.activation is rleu; needed: one of relu",
    ],
    [{ kind: "mlp", inputShape: [4], hiddenSizes: [2], outputSize: 2, activation: "conv" }, "mlp.activation is conv"],
    [{ kind: "resnet18", inputShape: [32], outputSize: 2 }, "layers[0] (conv) is given rows of the shape [32]"],
  ] as const) {
    it(`is refused where it cannot be: ${JSON.stringify(spec)}`, () =>
      refused(spec as unknown as NetworkSpec, message));
  }
});

describe("a list of layers", () => {
  const [weight, bias] = [3, 4].map((value) => ({ kind: "constant", value }) as const);
  for (const [inputShape, layer] of [
    [[4], { kind: "linear", outputSize: 2 }],
    [[2, 4], { kind: "conv", outputChannels: 2, kernel: [3] }],
    [[2, 4], { kind: "conv_transpose", outputChannels: 2, kernel: [3] }],
    [[2, 4], { kind: "batch_norm" }],
    [[2, 4], { kind: "layer_norm" }],
    [[2, 4], { kind: "group_norm", groups: 1 }],
    [[2, 4], { kind: "rms_norm" }],
    [[2], { kind: "embedding", tokenCount: 3, width: 2 }],
    [[2, 4], { kind: "position_embedding" }],
    [[2, 4], { kind: "lstm", hiddenSize: 2, bidirectional: true }],
    [[2, 4], { kind: "gru", hiddenSize: 2 }],
    [[2, 4], { kind: "attention", headCount: 2 }],
    [[2, 4], { kind: "transformer_block", headCount: 2 }],
  ] as const) {
    it(`begins as it says: ${layer.kind}`, () => {
      const begun = { ...layer, initialWeight: weight, initialBias: bias } as Layer;
      const { parameters } = networkOf({ kind: "layers", inputShape, layers: [begun] });
      for (const { name, initial } of parameters.filter(({ name }) => !name.includes("norm"))) {
        expect(initial, name).to.deep.equal(name.includes("bias") ? bias : weight);
      }
    });
  }

  const linear = { kind: "linear", outputSize: 2 } as const;
  const faults: Record<string, [inputShape: readonly number[], layers: readonly object[], message: string]> = {
    "an image for a dense size": [
      [64],
      [{ kind: "conv", outputChannels: 4, kernel: [3] }],
      "layers[0] (conv) is given rows of the shape [64]; needed: [channels, length] or [channels, height, width]",
    ],
    "a window that is larger than the image": [
      [1, 4, 4],
      [{ kind: "max_pool", kernel: [5] }],
      "layers[0] (max_pool) is given rows of the shape [1, 4, 4]; needed: at least 5 elements along axis 1",
    ],
    "sizes for other axes": [
      [1, 4, 4],
      [{ kind: "conv", outputChannels: 4, kernel: [1, 2, 3] }],
      "layers[0].kernel is [1, 2, 3]; needed: one or 2 sizes",
    ],
    "no kernel": [[1, 4, 4], [{ kind: "max_pool", kernel: [] }], "layers[0].kernel is empty"],
    "a stride of 0": [
      [1, 4, 4],
      [{ kind: "max_pool", kernel: [2], stride: [0] }],
      "layers[0].stride[0] is 0; needed: a whole number in [1, 16777216]",
    ],
    "padding beyond the window": [
      [1, 4, 4],
      [{ kind: "average_pool", kernel: [2], padding: [2] }],
      "layers[0].padding is 2; needed: at most half the kernel, 2",
    ],
    "groups that do not divide": [
      [3, 4, 4],
      [{ kind: "conv", outputChannels: 4, kernel: [1], groups: 2 }],
      "layers[0].groups is 2; needed: a divisor of 3 channels in and 4 out",
    ],
    "padding that leaves nothing": [
      [1, 1],
      [{ kind: "conv_transpose", outputChannels: 1, kernel: [2], padding: [1] }],
      "layers[0] (conv_transpose) is given rows of the shape [1, 1]; needed: rows from which a padding of 1 leaves an element",
    ],
    "output padding of a whole stride": [
      [1, 3],
      [{ kind: "conv_transpose", outputChannels: 1, kernel: [2], stride: [2], outputPadding: [2] }],
      "layers[0].output_padding is 2; needed: less than the stride, 2",
    ],
    "another shape of more elements": [
      [6],
      [{ kind: "reshape", shape: [2, 4] }],
      "layers[0] (reshape) is given rows of the shape [6]; needed: rows of 8 elements, as [2, 4] has",
    ],
    "an axis twice": [
      [2, 3],
      [{ kind: "permute", axes: [0, 0] }],
      "layers[0].axes is [0, 0]; needed: each of the axes 0 to 1 once",
    ],
    "a place beyond the end": [
      [2, 3],
      [{ kind: "pick", index: 2 }],
      "layers[0].index is 2; needed: a whole number in [-2, 1]",
    ],
    "a place of no sequence": [[3], [{ kind: "pick", index: 0 }], "layers[0] (pick) is given rows of the shape [3]"],
    "tokens in the middle": [
      [4],
      [linear, { kind: "embedding", tokenCount: 4, width: 2 }],
      "layers[1] is an embedding; needed: another layer, because only the first of a network is given tokens",
    ],
    "attention without a sequence": [
      [4],
      [{ kind: "attention", headCount: 2 }],
      "layers[0] (attention) is given rows of the shape [4]",
    ],
    "a sequence of one axis": [
      [4],
      [{ kind: "lstm", hiddenSize: 2 }],
      "layers[0] (lstm) is given rows of the shape [4]; needed: [places, features]",
    ],
    "a way around to another shape": [
      [4],
      [{ kind: "residual", layers: [linear] }],
      "layers[0].shortcut is one that gives rows of the shape [4]; needed: [2], as the layers give",
    ],
    "a fault within": [
      [4],
      [{ kind: "residual", layers: [linear], shortcut: [{ kind: "linear", outputSize: 0 }] }],
      "layers[0].shortcut[0].output_size is 0",
    ],
    "lists without end": [[4], [nested(9)], "is a list too deep; needed: at most 8"],
    "lists of too many together": [
      [4],
      [
        ...Array(5).fill({
          kind: "residual",
          layers: Array(128).fill({ kind: "relu" }),
          shortcut: Array(128).fill(linear),
        }),
        linear,
      ],
      "layers is lists of 1286 layers together; needed: at most 1024",
    ],
    "a pile of too many": [
      [4, 2],
      [{ kind: "lstm", hiddenSize: 1, layerCount: 16_000_000 }],
      "layers[0].layer_count is 16000000; needed: a whole number in [1, 16]",
    ],
    "a dropout of all": [[4], [{ kind: "dropout", ratio: 1 }], "layers[0].ratio is 1; needed: a number in [0, 1)"],
    "a variance of less than nothing": [[4], [{ kind: "layer_norm", epsilon: -1 }], "layers[0].epsilon is -1"],
    "more axes than there are": [
      [4],
      [{ kind: "layer_norm", axes: 2 }],
      "layers[0] (layer_norm) is given rows of the shape [4]",
    ],
    "groups of channels": [
      [4, 3],
      [{ kind: "group_norm", groups: 3 }],
      "layers[0].groups is 3; needed: a divisor of 4 channels",
    ],
    "an activation that is none": [
      [4, 6],
      [{ kind: "transformer_block", headCount: 2, activation: "swish" }],
      "layers[0].activation is swish; needed: one of relu,",
    ],
    "the weight of a layer that is none": [
      [4],
      [
        { kind: "linear", outputSize: 4 },
        { kind: "linear", outputSize: 4, weightOf: "layers.1.weight" },
      ],
      "layers[1].weight_of is layers.1.weight; needed: a parameter [4, 4] of a layer before; there is layers.0.weight",
    ],
    "an unknown initializer": [
      [4],
      [{ ...linear, initialWeight: { kind: "he" } }],
      "layers[0].initial_weight.kind is he; needed: one of kaiming_uniform, kaiming_normal,",
    ],
    "an initializer by fans for a bias": [
      [4],
      [{ ...linear, initialBias: { kind: "xavier_normal" } }],
      "layers[0].initial_bias.kind is xavier_normal; needed: one that does without fans, for a parameter of [2]",
    ],
    "a row of too much": [
      [1, 4096, 4096],
      [{ kind: "conv", outputChannels: 2, kernel: [1] }],
      "layers[0] (conv) is given rows of the shape [1, 4096, 4096]; needed: rows of which it makes at most 16777216 elements",
    ],
    "no shape": [[], [{ kind: "flatten" }], "input_shape is not set; needed: the shape of a row"],
    "a shape without end": [Array(17).fill(1), [linear], "input_shape is a shape of 17 axes; needed: at most 16"],
    "another shape without end": [
      [4],
      [{ kind: "reshape", shape: [...Array(16).fill(1), 4] }],
      "layers[0].shape is a shape of 17 axes; needed: at most 16",
    ],
    "half an axis": [[2.5], [linear], "network.input_shape[0] is 2.5"],
  };
  for (const [fault, [inputShape, layers, message]] of Object.entries(faults)) {
    it(`with ${fault} is refused, naming the layer`, () => {
      refused({ kind: "layers", inputShape, layers: layers as readonly Layer[] }, message);
    });
  }
});

function nested(depth: number): object {
  return { kind: "residual", layers: [depth === 0 ? { kind: "linear", outputSize: 4 } : nested(depth - 1)] };
}

function refused(spec: NetworkSpec, message: string): void {
  expect(() => networkOf(spec))
    .to.throw(ServiceError, message)
    .with.property("reason", "SPEC_INVALID");
}
