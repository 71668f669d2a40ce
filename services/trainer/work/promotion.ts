import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { aliasName } from "../../../lib/resource-names.ts";
import type { Catalogue, OnBehalf } from "../catalogue.ts";
import { type Gate, type Verdict, verdictOf } from "../jobs/gate.ts";
import type { Promotion } from "../jobs/job.ts";
import type { GateValues } from "./gate-values.ts";

/** A version that an alias is to be moved to. */
export interface Candidate {
  readonly model: string;
  readonly alias: string;
  /** "models/{model}/versions/{number}". */
  readonly version: string;
  readonly gate: Gate | undefined;
  /** What it has measured. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Measures versions by the gate. */
  readonly values: Pick<GateValues, "of" | "ofRivals">;
}

/**
 * Moves an alias to a version where its gate lets it and the model's compatibility mode does; else it stays where it is, and the answer
 * says why; nor does it move where its gate cannot be measured. An alias that is there already has passed before. One that somebody else moves
 * meanwhile is judged again, by where it leads then. Throws the registry's other faults.
 */
export async function promote(catalogue: Catalogue, candidate: Candidate, onBehalf: OnBehalf): Promise<Promotion> {
  for (let turn = 1; turn <= turnsMax; turn++) {
    const promotion = await promotedFrom(catalogue, candidate, onBehalf);
    if (promotion !== "moved meanwhile") return promotion;
  }
  const message = `it was moved by others ${turnsMax} times while it was decided whether it may be`;
  return held(candidate, "MOVED_MEANWHILE", message);
}

/** Times that an alias is judged before it is left to those who move it. */
const turnsMax = 5;

async function promotedFrom(
  catalogue: Catalogue,
  candidate: Candidate,
  onBehalf: OnBehalf,
): Promise<Promotion | "moved meanwhile"> {
  const { model, alias, version, gate } = candidate;
  const { versions: before, etag } = await catalogue.resolveAlias(aliasName(model, alias), onBehalf);
  const isThere = before.length === 1 && before[0] === version;
  const verdict = gate && !isThere ? await measured(candidate, gate, before, onBehalf) : undefined;
  if (verdict?.passes === false) return held(candidate, "GATE_NOT_PASSED", verdict.message);
  try {
    await catalogue.moveAlias(alias, version, etag, onBehalf);
  } catch (failure) {
    const reason = failure instanceof ServiceError ? failure.reason : undefined;
    if (reason === "ETAG_MISMATCH") return "moved meanwhile";
    if (reason === "INCOMPATIBLE") return held(candidate, "INCOMPATIBLE", messageOf(failure));
    throw failure;
  }
  return { alias: aliasName(model, alias), moved: true, reason: "", message: verdict?.message ?? "" };
}

function held({ model, alias }: Candidate, reason: Promotion["reason"], message: string): Promotion {
  return { alias: aliasName(model, alias), moved: false, reason, message };
}

/** What the gate says; where it cannot be measured, and another attempt would not help, it is not passed. */
async function measured(
  candidate: Candidate,
  gate: Gate,
  before: readonly string[],
  { signal }: OnBehalf,
): Promise<Verdict> {
  try {
    return await judged(candidate, gate, before);
  } catch (failure) {
    const isLasting = failure instanceof ServiceError && failure.status !== "UNAVAILABLE" && !signal?.aborted;
    if (!isLasting) throw failure;
    return { passes: false, message: `the gate cannot be measured: ${failure.message}` };
  }
}

async function judged(
  { version, metrics, values }: Candidate,
  gate: Gate,
  before: readonly string[],
): Promise<Verdict> {
  if (gate.bound.kind !== "better_than_alias") {
    return verdictOf(gate, gate.dataset === undefined ? metrics[gate.metric] : await values.of(version, gate));
  }
  // Both as they are served: what the training has measured differs from that in the last digits.
  const value = await values.of(version, gate);
  const others = before.filter((each) => each !== version);
  return verdictOf(gate, value, await values.ofRivals(others, gate));
}
