import type { ImportedSpec } from "./imported/imported-model.ts";
import { importedNetwork } from "./imported/imported-network.ts";
import { type LayersSpec, layersNetwork } from "./layers/layers-network.ts";
import type { Network } from "./network.ts";
import { type Cnn, cnnLayers } from "./presets/cnn.ts";
import { type Mlp, mlpLayers } from "./presets/mlp.ts";
import { type ResNet18, resnet18Layers } from "./presets/resnet18.ts";
import { type Gpt, gptLayers, type TransformerEncoder, transformerEncoderLayers } from "./presets/transformers.ts";
import { specError } from "./spec-error.ts";

/** What a network is made of; plain data, which may be sent to a thread. */
export type NetworkSpec = ImportedSpec | LayersSpec | Mlp | Cnn | ResNet18 | TransformerEncoder | Gpt;

const kinds = {
  layers: layersNetwork,
  imported: importedNetwork,
  mlp: (spec) => layersNetwork(mlpLayers(spec)),
  cnn: (spec) => layersNetwork(cnnLayers(spec)),
  resnet18: (spec) => layersNetwork(resnet18Layers(spec)),
  transformer_encoder: (spec) => layersNetwork(transformerEncoderLayers(spec)),
  gpt: (spec) => layersNetwork(gptLayers(spec)),
} as const satisfies { [K in NetworkSpec["kind"]]: (spec: Extract<NetworkSpec, { kind: K }>) => Network };

/** The names of the networks that are well known. */
export const presetKinds = Object.keys(kinds).filter((kind) => kind !== "layers" && kind !== "imported");

const parameterCountMax = 2 ** 26;

/** Checks a network and works out its shapes. Throws SPEC_INVALID that names the part, what it is and what is needed. */
export function networkOf(spec: NetworkSpec): Network {
  if (!Object.hasOwn(kinds, spec.kind)) {
    throw specError("network.kind", spec.kind, `one of ${Object.keys(kinds).join(", ")}`);
  }
  const network = (kinds[spec.kind] as (spec: NetworkSpec) => Network)(spec);
  const { parameterCount } = network;
  if (parameterCount === 0) throw specError("the network", "one without parameters", "at least one parameter");
  if (parameterCount > parameterCountMax) {
    throw specError("the network", `one of ${parameterCount} parameters`, `at most ${parameterCountMax}`);
  }
  return network;
}
