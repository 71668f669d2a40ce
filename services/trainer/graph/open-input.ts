import { hasImpliedShape } from "./layers/layers-network.ts";
import type { NetworkSpec } from "./network-spec.ts";

/** Whether a network says nothing of the shape of its rows, so that the data decides. */
export function hasOpenInput(spec: NetworkSpec): boolean {
  switch (spec.kind) {
    case "layers":
      return !spec.inputShape?.length && spec.layers.length > 0 && !hasImpliedShape(spec.layers);
    case "mlp":
    case "cnn":
    case "resnet18":
      return spec.inputShape.length === 0;
    case "imported":
    case "transformer_encoder":
    case "gpt":
      return false;
  }
}

/** The network for rows of a shape, which has no batch axis; as it is where it says its own. */
export function withRowShape(spec: NetworkSpec, rowShape: readonly number[]): NetworkSpec {
  return hasOpenInput(spec) ? ({ ...spec, inputShape: rowShape } as NetworkSpec) : spec;
}

/** Whether an open network takes tokens rather than numbers. */
export function takesTokens(spec: NetworkSpec): boolean {
  return spec.kind === "layers" && spec.layers[0]?.kind === "embedding";
}
