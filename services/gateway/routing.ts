import { ServiceError } from "../../lib/errors.ts";
import { nearestNames } from "../../lib/nearest-names.ts";
import { defaultAlias, versionNumber } from "../../lib/resource-names.ts";
import { versionKey } from "../../lib/rpc/call-context.ts";
import type { CalledRef, CallHeaders } from "./called-ref.ts";
import { shown } from "./model-ref.ts";
import { drawn } from "./pick-target.ts";
import type { RouteTable } from "./route-table.ts";
import type { Route, RoutedAlias, RoutedModel } from "./routed-model.ts";
import { stickyTarget } from "./sticky-target.ts";

/** What decides which of an alias's targets a call goes to. */
export interface Chooser {
  readonly headers: CallHeaders;
  /** In [0, 1), for calls that stick to none. */
  readonly random: number;
}

/**
 * Finds the version that a request means: a number, an alias, or nothing, which is the alias "default", and of a model without one
 * the newest version that is ready, or else the newest. Of an alias with several targets, those count that are ready, by their
 * weights: where the model's traffic settings name a sticky key and the call has it, its value chooses, and otherwise chance.
 *
 * Throws MODEL_NOT_FOUND, VERSION_NOT_FOUND or ALIAS_NOT_FOUND with the names that exist, OVERRIDE_REFUSED, and SERVICE_UNAVAILABLE
 * before the first table. The texts begin as Triton's do, because clients look for them.
 */
export function routeOf(known: RouteTable | undefined, ref: CalledRef, chooser: Chooser): Route {
  const table = knownTable(known);
  const model = table.models.get(ref.model);
  if (model === undefined) throw unknownModel(table, ref.model);
  const wanted = wantedVersion(model, ref);
  const alias = aliasOf(model, wanted);
  const route = alias === undefined ? versionOf(model, wanted) : targetOf(model, alias, chooser);
  if (route === undefined) throw unknownVersion(model, wanted);
  return route;
}

/** Whether a call for it may go on to a version on a node, where an earlier one has gone. Throws OVERRIDE_REFUSED. */
export function stillLeads(known: RouteTable | undefined, ref: CalledRef, version: number, node: string): boolean {
  const model = known?.models.get(ref.model);
  if (!model?.versions.get(version)?.replicas.includes(node)) return false;
  const wanted = wantedVersion(model, ref);
  const named = versionNumber(wanted);
  if (named !== undefined) return named === version;
  const alias = model.aliases.get(wanted || defaultAlias);
  if (alias === undefined) return wanted === "" && model.newest?.version === version;
  return alias.targets.some((target) => target.version === version);
}

/** The table; throws SERVICE_UNAVAILABLE before the first one. */
export function knownTable(table: RouteTable | undefined): RouteTable {
  if (table !== undefined) return table;
  throw new ServiceError("SERVICE_UNAVAILABLE", "the gateway has no route table yet: the registry has not answered", {
    retryDelayMs: 1000,
  });
}

/** The nodes that can answer; throws MODEL_NOT_READY where there are none. */
export function readyReplicas({ model, version, replicas, reason }: Route): readonly string[] {
  if (replicas.length > 0) return replicas;
  const why = reason === "" ? "" : `: ${reason}`;
  throw new ServiceError("MODEL_NOT_READY", `version ${version} of model '${model}' is not ready on any node${why}`, {
    metadata: { model, version: String(version) },
    retryDelayMs: 1000,
  });
}

/** How many names an error lists. */
const namesMax = 10;

/** The version of the request, or the one that its metadata asks for instead. */
function wantedVersion({ model, traffic }: RoutedModel, { version, override }: CalledRef): string {
  if (override === undefined) return version;
  if (traffic?.versionOverride) return override;
  throw new ServiceError(
    "OVERRIDE_REFUSED",
    `the metadata ${versionKey} asks for version '${shown(override)}' of model '${model}' instead of '${shown(version)}', which the ` +
      "request names; needed: the same one, or traffic.version_override in the model's serving settings",
  );
}

/** The alias that a call follows; undefined where it follows none. */
function aliasOf({ preset, aliases }: RoutedModel, wanted: string): RoutedAlias | undefined {
  if (wanted === "") return preset;
  return versionNumber(wanted) === undefined ? aliases.get(wanted) : undefined;
}

/** The version that a call names, or the newest where it names none; undefined where that does not exist. */
function versionOf({ newest, versions }: RoutedModel, wanted: string): Route | undefined {
  return wanted === "" ? newest : versions.get(versionNumber(wanted) ?? 0);
}

function targetOf({ model, traffic }: RoutedModel, { draws, choices }: RoutedAlias, { headers, random }: Chooser) {
  const sticky = traffic?.stickyKey ? headers[traffic.stickyKey] : undefined;
  if (sticky === undefined) return drawn(draws, random);
  return stickyTarget(choices, JSON.stringify([model, String(sticky)])).route;
}

function unknownModel({ models }: RouteTable, model: string): ServiceError {
  const names = nearestNames(model, [...models.keys()], namesMax);
  const known = names.length === 0 ? "there are no models yet" : `models: ${listed(names, models.size)}`;
  const name = shown(model);
  return new ServiceError("MODEL_NOT_FOUND", `Request for unknown model: '${name}' is not found; ${known}`, {
    metadata: { model: name },
  });
}

function unknownVersion(model: RoutedModel, text: string): ServiceError {
  const known = `${versionsOf(model)}; ${aliasesOf(model)}`;
  const name = model.model;
  if (text === "") {
    return new ServiceError(
      "VERSION_NOT_FOUND",
      `Request for unknown model: '${name}' has no version that an empty one could mean: the target of the alias ` +
        `'${defaultAlias}', or the newest; ${known}`,
      { metadata: { model: name } },
    );
  }
  const isNumber = /^-?\d+$/.test(text);
  const word = isNumber ? "version" : "alias";
  const written = isNumber ? shown(text) : `'${shown(text)}'`;
  // Triton has no aliases, and its clients look for what it says of texts that are no number.
  const why = isNumber ? "" : `: failed to get model version from specified version string ${written}`;
  return new ServiceError(
    isNumber ? "VERSION_NOT_FOUND" : "ALIAS_NOT_FOUND",
    `Request for unknown model: '${name}' ${word} ${written} is not found${why}; ${known}`,
    { metadata: { model: name, [word]: shown(text) } },
  );
}

function versionsOf({ versions }: RoutedModel): string {
  const newest = [...versions.keys()].sort((a, b) => b - a);
  return newest.length === 0
    ? "it has no versions yet"
    : `versions: ${listed(newest.slice(0, namesMax), versions.size)}`;
}

function aliasesOf({ aliases }: RoutedModel): string {
  const names = [...aliases]
    .map(([alias, { targets }]) => `${alias} (${targets.map(({ version }) => version).join(" and ")})`)
    .sort();
  return names.length === 0 ? "no aliases" : `aliases: ${listed(names.slice(0, namesMax), aliases.size)}`;
}

function listed(names: readonly (string | number)[], count: number): string {
  return names.join(", ") + (count > names.length ? ` and ${count - names.length} more` : "");
}
