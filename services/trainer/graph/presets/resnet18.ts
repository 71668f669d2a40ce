import type { Layer } from "../layers/layer.ts";
import type { LayersSpec } from "../layers/layers-network.ts";
import { specError } from "../spec-error.ts";

/** The residual network of 18 layers (He et al. 2016), as `torchvision.models.resnet18`, with its first weights. */
export interface ResNet18 {
  readonly kind: "resnet18";
  /** [channels, height, width]. */
  readonly inputShape: readonly number[];
  readonly outputSize: number;
  /** How it begins: a convolution of 3×3 for small images, by default, or that of 7×7 with a max pool. */
  readonly stem?: "small" | "imagenet" | undefined;
  /** Channels of the first stage, doubled by each of the three after it; 64 by default. */
  readonly width?: number | undefined;
}

export function resnet18Layers({ inputShape, outputSize, stem = "small", width = 64 }: ResNet18): LayersSpec {
  if (!Object.hasOwn(stems, stem)) throw specError("resnet18.stem", stem, `one of ${Object.keys(stems).join(", ")}`);
  const stages = [1, 2, 4, 8].map((factor) => factor * width);
  return {
    kind: "layers",
    inputShape,
    layers: [
      ...stems[stem](width),
      ...stages.flatMap((channels, index) => [...block(channels, index === 0 ? 1 : 2), ...block(channels, 1)]),
      { kind: "global_average_pool" },
      { kind: "linear", outputSize },
    ],
  };
}

const stems = {
  small: (width: number): readonly Layer[] => [...convolved(width, 3, 1), { kind: "relu" }],
  imagenet: (width: number): readonly Layer[] => [
    ...convolved(width, 7, 2),
    { kind: "relu" },
    { kind: "max_pool", kernel: [3], stride: [2], padding: [1] },
  ],
} as const satisfies Record<NonNullable<ResNet18["stem"]>, unknown>;

/** Two convolutions around which the input goes; through a third where the shape changes. */
function block(channels: number, stride: number): readonly Layer[] {
  return [
    {
      kind: "residual",
      layers: [...convolved(channels, 3, stride), { kind: "relu" }, ...convolved(channels, 3, 1)],
      shortcut: stride === 1 ? [] : convolved(channels, 1, stride),
    },
    { kind: "relu" },
  ];
}

function convolved(outputChannels: number, kernel: number, stride: number): readonly Layer[] {
  return [
    {
      kind: "conv",
      outputChannels,
      kernel: [kernel],
      stride: [stride],
      padding: [(kernel - 1) / 2],
      bias: false,
      initialWeight: { kind: "kaiming_normal", fan: "out" },
    },
    { kind: "batch_norm" },
  ];
}
