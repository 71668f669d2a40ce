import type { LayersSpec } from "../layers/layers-network.ts";
import { specError } from "../spec-error.ts";
import { bent } from "./mlp.ts";

/** Convolutions, each with relu and a max pool that halves the image, then dense layers: as LeNet-5 (LeCun et al. 1998). */
export interface Cnn {
  readonly kind: "cnn";
  /** [channels, height, width], or [channels, length]. */
  readonly inputShape: readonly number[];
  /** Outputs of each convolution; 6 and 16 by default. */
  readonly channels?: readonly number[] | undefined;
  /** Of each convolution, odd, and padded so that the image keeps its size; 5 by default. */
  readonly kernel?: number | undefined;
  /** Outputs of the dense layers before the last; 120 and 84 by default. */
  readonly hiddenSizes?: readonly number[] | undefined;
  readonly outputSize: number;
  /** Whether each convolution is followed by batch_norm; false by default. */
  readonly batchNorm?: boolean | undefined;
  /** Behind the activation of each dense layer, in [0, 1); 0 by default. */
  readonly dropout?: number | undefined;
}

export function cnnLayers(cnn: Cnn): LayersSpec {
  const { inputShape, kernel = 5, outputSize, batchNorm, dropout } = cnn;
  const channels = cnn.channels?.length ? cnn.channels : [6, 16];
  const hiddenSizes = cnn.hiddenSizes?.length ? cnn.hiddenSizes : [120, 84];
  if (kernel % 2 !== 1) throw specError("cnn.kernel", kernel, "an odd number");
  return {
    kind: "layers",
    inputShape,
    layers: [
      ...channels.flatMap((outputChannels) => [
        { kind: "conv", outputChannels, kernel: [kernel], padding: [(kernel - 1) / 2] } as const,
        ...(batchNorm ? [{ kind: "batch_norm" } as const] : []),
        { kind: "relu" } as const,
        { kind: "max_pool", kernel: [2] } as const,
      ]),
      { kind: "flatten" },
      ...hiddenSizes.flatMap((size) => [{ kind: "linear", outputSize: size } as const, ...bent("relu", dropout)]),
      { kind: "linear", outputSize },
    ],
  };
}
