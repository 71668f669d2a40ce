import { type LayersSpec, layersNetwork } from "./layers.ts";
import type { Network } from "./network.ts";
import { specError } from "./spec-error.ts";

/** What a network is made of; plain data, which may be sent to a thread. */
export type NetworkSpec = LayersSpec;

const kinds = {
  layers: layersNetwork,
} as const satisfies { [K in NetworkSpec["kind"]]: (spec: Extract<NetworkSpec, { kind: K }>) => Network };

const parameterCountMax = 2 ** 26;

/** Checks a network and works out its shapes. Throws SPEC_INVALID that names the part, what it is and what is needed. */
export function networkOf(spec: NetworkSpec): Network {
  const network = kinds[spec.kind](spec);
  const { parameterCount } = network;
  if (parameterCount > parameterCountMax) {
    throw specError("the network", `one of ${parameterCount} parameters`, `at most ${parameterCountMax}`);
  }
  return network;
}
