import type { Kysely } from "kysely";
import { ServiceError } from "../../../lib/errors.ts";
import { aliasName, versionName } from "../../../lib/resource-names.ts";
import { comparison } from "../compatibility/comparison.ts";
import { Findings } from "../compatibility/findings.ts";
import { isTransitive } from "../compatibility/modes.ts";
import { incompatibleFault } from "../compatibility/refusal.ts";
import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import { candidateOf, comparedVersions, everTargeted } from "./compared-versions.ts";
import { inTurns } from "./in-turns.ts";
import type { ModelRow, Schema } from "./schema.ts";
import { type FullVersion, findVersions } from "./version-rows.ts";
import { missingVersion } from "./versions.ts";

/** Where an alias leads. */
export interface Aim {
  readonly targets: readonly { readonly version: number; readonly weight: number }[];
  readonly mirrors: readonly { readonly version: number; readonly share: number }[];
}

/** A move of an alias of a model that is locked. */
export interface Move {
  readonly model: ModelRow;
  readonly alias: string;
  /** Nothing where the alias is made. */
  readonly before: Aim;
  /** Where its clients' requests have gone last; not `before` where the alias was deleted and is made again. */
  readonly served: Aim;
  readonly after: Aim;
}

/**
 * What speaks against a move, which may be forced; undefined where nothing does. Throws what may not: VERSION_NOT_FOUND, and
 * VERSION_STATE for a version that is REJECTED or DELETED.
 */
export async function objectionTo(
  move: Move,
  query: Kysely<Schema>,
  fleet: FleetCapabilities,
): Promise<ServiceError | undefined> {
  const versions = await aimedVersions(query, move.model.id, move.after);
  return stateObjection(move, versions) ?? (await modeObjection(move, versions, query, fleet));
}

/** The versions that an alias leads to, each once. */
export function numbersOf({ targets, mirrors }: Aim): readonly number[] {
  return [...new Set([...targets, ...mirrors].map(({ version }) => version))];
}

/** The versions that clients of an alias get answers of. */
export function targetNumbers({ targets }: Aim): readonly number[] {
  return targets.map(({ version }) => version);
}

type Versions = ReadonlyMap<number, FullVersion>;

async function aimedVersions(query: Kysely<Schema>, model: string, aim: Aim): Promise<Versions> {
  const numbers = numbersOf(aim);
  const versions = new Map((await findVersions(query, model, numbers)).map((full) => [full.version.number, full]));
  for (const number of numbers) {
    const full = versions.get(number) ?? (await missingVersion(query, model, { number }));
    if (["REJECTED", "DELETED"].includes(full.version.state)) throw stateFault(full, "READY");
  }
  return versions;
}

/** What the alias leads to already may have been deprecated since, and may stay. */
function stateObjection({ before, after }: Move, versions: Versions): ServiceError | undefined {
  const led = new Set(numbersOf(before));
  const mirrors = after.mirrors.map(({ version }) => version).filter((number) => !led.has(number));
  const added = [...newTargets(before, after), ...mirrors].map((number) => versions.get(number)!);
  const unready = added.find(({ version }) => version.state !== "READY");
  return unready && stateFault(unready, "READY, or force");
}

function stateFault({ version }: FullVersion, needed: string): ServiceError {
  const { state, state_reason: reason } = version;
  const name = versionName(version.model, version.number);
  const seen = reason === "" ? state : `${state} (${reason.slice(0, 200)})`;
  const message = `${name} is ${seen}; needed where an alias is to lead: ${needed}`;
  return new ServiceError("VERSION_STATE", message, { metadata: { version: name, state } });
}

/** Clients of the alias have had answers of its last targets: what comes new to them is compared. */
async function modeObjection(
  { model: { id: model, compatibility: mode }, alias, before, served, after }: Move,
  versions: Versions,
  query: Kysely<Schema>,
  fleet: FleetCapabilities,
): Promise<ServiceError | undefined> {
  const added = newTargets(before, after);
  if (mode === "NONE" || added.length === 0) return undefined;
  const known = new Set(targetNumbers(served));
  const others = isTransitive(mode)
    ? await everTargeted(query, model, alias)
    : await comparedVersions(query, model, [...known]);
  const findings = new Findings({ mode, isOnlyBreaking: true });
  for (const number of added) {
    const candidate = candidateOf(versions.get(number)!);
    if (candidate === undefined) continue;
    await inTurns(comparison(candidate, known.has(number) ? [] : others, fleet, findings));
  }
  return findings.breaksMode ? incompatibleFault(aliasName(model, alias), mode, findings) : undefined;
}

function newTargets(before: Aim, after: Aim): readonly number[] {
  const targeted = new Set(targetNumbers(before));
  return targetNumbers(after).filter((number) => !targeted.has(number));
}
