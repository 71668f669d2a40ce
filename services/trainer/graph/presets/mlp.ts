import { activations } from "../layers/activations.ts";
import type { Layer } from "../layers/layer.ts";
import type { LayersSpec } from "../layers/layers-network.ts";
import { specError } from "../spec-error.ts";

/** Dense layers with an activation between them. */
export interface Mlp {
  readonly kind: "mlp";
  /** Of one row, without the batch axis; flattened where it has several axes. */
  readonly inputShape: readonly number[];
  /** Outputs of each layer before the last. */
  readonly hiddenSizes: readonly number[];
  readonly outputSize: number;
  /** One without fields; relu by default. */
  readonly activation?: string | undefined;
  /** Behind each activation, in [0, 1); 0 by default. */
  readonly dropout?: number | undefined;
}

export function mlpLayers({ inputShape, hiddenSizes, outputSize, activation = "relu", dropout }: Mlp): LayersSpec {
  if (!Object.hasOwn(activations, activation)) {
    throw specError("mlp.activation", activation, `one of ${Object.keys(activations).join(", ")}`);
  }
  return {
    kind: "layers",
    inputShape,
    layers: [
      ...(inputShape.length > 1 ? [{ kind: "flatten" } as const] : []),
      ...hiddenSizes.flatMap((size) => [{ kind: "linear", outputSize: size } as const, ...bent(activation, dropout)]),
      { kind: "linear", outputSize },
    ],
  };
}

/** An activation, and dropout where there is some. */
export function bent(activation: string, dropout = 0): readonly Layer[] {
  const ratio = dropout === 0 ? [] : [{ kind: "dropout", ratio: dropout } as const];
  return [{ kind: activation } as Layer, ...ratio];
}
