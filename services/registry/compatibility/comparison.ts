import type { Signature } from "../../../lib/tensor.ts";
import type { Needs } from "../control/fit.ts";
import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import type { Difference } from "./difference.ts";
import { fleetDifferences } from "./fleet.ts";
import { differencesBetween } from "./signatures.ts";

/** A version that others are compared with. */
export interface ComparedVersion {
  /** Its name. */
  readonly name: string;
  readonly signature: Signature;
}

/** A version that may take the place of others. */
export interface Candidate extends ComparedVersion {
  readonly needs: Needs;
}

/** A difference, and between what. */
export interface FoundDifference extends Difference {
  /** The name of the new version. */
  readonly version: string;
  /** The name of the old one; empty where the fleet is what does not fit. */
  readonly against: string;
}

/** Everything that speaks against a version in some mode: first what the fleet lacks, then what tells it from each of the others. */
export function foundDifferences(
  candidate: Candidate,
  others: readonly ComparedVersion[],
  fleet: FleetCapabilities,
): readonly FoundDifference[] {
  const found = (against: string) => (difference: Difference) => ({ ...difference, version: candidate.name, against });
  return [
    ...fleetDifferences(candidate.needs, fleet).map(found("")),
    ...others.flatMap(({ name, signature }) => differencesBetween(signature, candidate.signature).map(found(name))),
  ];
}
