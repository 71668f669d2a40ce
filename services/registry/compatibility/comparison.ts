import type { Signature } from "../../../lib/tensor.ts";
import type { Needs } from "../control/fit.ts";
import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import type { Difference } from "./difference.ts";
import type { Findings } from "./findings.ts";
import { fleetDifferences } from "./fleet.ts";
import { differencesBetween } from "./signatures.ts";

/** A version that others are compared with. */
export interface ComparedVersion {
  /** Its name. */
  readonly name: string;
  /** Its signature as the database keeps it: equal texts are equal signatures. */
  readonly signatureJson: string;
}

/** A version that may take the place of others. */
export interface Candidate extends ComparedVersion {
  readonly needs: Needs;
}

/**
 * Finds what speaks against a version: first what the fleet lacks, then what tells it from each of the others, as far as the findings
 * ask for it. Takes a time that is linear in the signatures that differ, and yields again and again, for others to have a turn.
 */
export function* comparison(
  candidate: Candidate,
  others: readonly ComparedVersion[],
  fleet: FleetCapabilities,
  findings: Findings,
): Generator<void, void> {
  const { name: version, needs, signatureJson } = candidate;
  for (const difference of fleetDifferences(needs, fleet)) findings.add({ ...difference, version, against: "" });
  const signature: Signature = JSON.parse(signatureJson);
  const known = new Map<string, readonly Difference[]>([[signatureJson, []]]);
  for (const { name: against, signatureJson: otherJson } of others) {
    yield;
    if (findings.isConclusive) return;
    const add = (difference: Difference) => findings.add({ ...difference, version, against });
    const same = known.get(otherJson);
    if (same !== undefined) for (const difference of same) add(difference);
    else known.set(otherJson, yield* differences(JSON.parse(otherJson), signature, findings, add));
  }
}

/** Answers those of which `add` says that they count. */
function* differences(
  before: Signature,
  after: Signature,
  findings: Findings,
  add: (difference: Difference) => boolean,
): Generator<void, readonly Difference[]> {
  const counted: Difference[] = [];
  let turnCount = 0;
  yield;
  for (const difference of differencesBetween(before, after)) {
    if (add(difference)) counted.push(difference);
    if (findings.isConclusive) break;
    if (++turnCount % differencesPerTurn === 0) yield;
  }
  return counted;
}

/** How many are found in one turn: some milliseconds' worth. */
const differencesPerTurn = 500;
