import { ServiceError } from "../../../lib/errors.ts";
import { aliasName } from "../../../lib/resource-names.ts";
import type { Catalogue, OnBehalf } from "../catalogue.ts";
import { type Gate, verdictOf } from "../jobs/gate.ts";
import type { Promotion } from "../jobs/job.ts";

/** A version that an alias is to be moved to. */
export interface Candidate {
  readonly model: string;
  readonly alias: string;
  /** "models/{model}/versions/{number}". */
  readonly version: string;
  readonly gate: Gate | undefined;
  /** What it has measured. */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Moves an alias to a version where its gate lets it and the model's compatibility mode does; else it stays where it is, and the answer
 * says why. An alias that is there already has passed before. Throws the registry's other faults.
 */
export async function promote(catalogue: Catalogue, candidate: Candidate, onBehalf: OnBehalf): Promise<Promotion> {
  const { model, alias, version, gate, metrics } = candidate;
  const name = aliasName(model, alias);
  const held = (reason: Promotion["reason"], message: string): Promotion => ({
    alias: name,
    moved: false,
    reason,
    message,
  });
  const before = await catalogue.aliasTargets(name, onBehalf);
  const isThere = before.length === 1 && before[0] === version;
  const verdict = gate && !isThere ? verdictOf(gate, metrics[gate.metric]) : undefined;
  if (verdict?.passes === false) return held("GATE_NOT_PASSED", verdict.message);
  try {
    await catalogue.moveAlias(alias, version, onBehalf);
  } catch (failure) {
    if (failure instanceof ServiceError && failure.reason === "INCOMPATIBLE")
      return held("INCOMPATIBLE", failure.message);
    throw failure;
  }
  return { alias: name, moved: true, reason: "", message: verdict?.message ?? "" };
}
