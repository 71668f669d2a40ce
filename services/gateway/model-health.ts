import { defaultAlias, versionNumber } from "../../lib/resource-names.ts";
import type { ServingStatus } from "../../lib/rpc/health.ts";
import type { ModelRoute } from "./route-facts.ts";
import type { RouteTable } from "./route-table.ts";

/** The names whose health a gateway knows besides services. */
export const healthForms = [
  "live",
  "models/{model}",
  "models/{model}/versions/{number}",
  "models/{model}/aliases/{alias}",
] as const;

/**
 * Whether a model, a version or an alias is ready on any node, by its resource name; a model is where a call that names no version can
 * be answered. Undefined for names that the table does not have; while there is no table, nothing is ready.
 */
export function modelHealth(table: RouteTable | undefined, name: string): ServingStatus | undefined {
  const [, id, kind, part = ""] = namePattern.exec(name) ?? [];
  if (id === undefined) return undefined;
  if (table === undefined) return "NOT_SERVING";
  const model = table.models.get(id);
  if (model === undefined) return undefined;
  const isReady = kind === undefined ? isModelReady(model) : partReady[kind as keyof typeof partReady](model, part);
  return isReady === undefined ? undefined : isReady ? "SERVING" : "NOT_SERVING";
}

const namePattern = /^models\/([^/]+)(?:\/(versions|aliases)\/([^/]+))?$/;

/** Undefined for parts that there are not. */
const partReady = {
  versions: (model: ModelRoute, version: string) => isVersionReady(model, versionNumber(version) ?? 0),
  aliases: (model: ModelRoute, alias: string) =>
    model.aliases.get(alias)?.targets.some(({ version }) => isVersionReady(model, version)),
};

function isModelReady(model: ModelRoute): boolean {
  const isDefaultReady = partReady.aliases(model, defaultAlias);
  if (isDefaultReady !== undefined) return isDefaultReady;
  for (const { replicas } of model.versions.values()) if (replicas.length > 0) return true;
  return false;
}

function isVersionReady({ versions }: ModelRoute, version: number): boolean | undefined {
  const found = versions.get(version);
  return found && found.replicas.length > 0;
}
