import type { Layer } from "../layers/layer.ts";
import type { LayersSpec } from "../layers/layers-network.ts";

/** The residual network of 18 layers (He et al. 2016), as `torchvision.models.resnet18`, with its first weights. */
export interface ResNet18 {
  readonly kind: "resnet18";
  /** [channels, height, width]. */
  readonly inputShape: readonly number[];
  readonly outputSize: number;
  /** Whether it begins with a convolution of 7×7 and a max pool, for large images, rather than with one of 3×3; false by default. */
  readonly imagenetStem?: boolean | undefined;
  /** Channels of the first stage, doubled by each of the three after it; 64 by default. */
  readonly width?: number | undefined;
}

export function resnet18Layers({ inputShape, outputSize, imagenetStem = false, width = 64 }: ResNet18): LayersSpec {
  const stages = [1, 2, 4, 8].map((factor) => factor * width);
  return {
    kind: "layers",
    inputShape,
    layers: [
      ...(imagenetStem ? imagenetStemOf(width) : [...convolved(width, 3, 1), { kind: "relu" } as const]),
      ...stages.flatMap((channels, index) => [...block(channels, index === 0 ? 1 : 2), ...block(channels, 1)]),
      { kind: "global_average_pool" },
      { kind: "linear", outputSize },
    ],
  };
}

function imagenetStemOf(width: number): readonly Layer[] {
  const pool = { kind: "max_pool", kernel: [3], stride: [2], padding: [1] } as const;
  return [...convolved(width, 7, 2), { kind: "relu" }, pool];
}

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
      initialWeight: { kind: "kaiming_normal", fanOut: true },
    },
    { kind: "batch_norm" },
  ];
}
