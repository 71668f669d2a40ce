import type { SettingsEntry, VariantEntry, VersionEntry } from "../store/entries.ts";
import type { NodeCapabilities, ReplicaState } from "./node-state.ts";

/** What a node would hold of a version. */
export interface Fit {
  readonly variant: VariantEntry;
  /** Best first; all of them are the node's. */
  readonly executionProviders: readonly string[];
  /** What it takes of the node's memory. */
  readonly memoryBytes: number;
}

type Settings = SettingsEntry["values"];

/**
 * What fits a node best: the first variant, by the precisions that the settings prefer and then in the order of the variants,
 * that may run on a provider of the node; those that the settings name, best first, or all that the node has. Undefined where
 * the node runs none of its operator sets, or no variant may run there.
 */
export function fitOf(version: VersionEntry, settings: Settings, capabilities: NodeCapabilities): Fit | undefined {
  if (!runsOpsets(version, capabilities)) return undefined;
  for (const variant of byPrecision(version.variants, settings.precisions ?? [])) {
    const executionProviders = providersOf(variant, settings, capabilities);
    if (executionProviders.length > 0) return { variant, executionProviders, memoryBytes: memoryOf(variant, settings) };
  }
  return undefined;
}

/** What a node holds already, whether it would be chosen now or not; undefined where it has said nothing of the variant. */
export function heldFit(version: VersionEntry, settings: Settings, replica: ReplicaState): Fit | undefined {
  const variant = version.variants.find(({ id }) => id === replica.variant);
  if (variant === undefined || replica.executionProvider === "") return undefined;
  return { variant, executionProviders: [replica.executionProvider], memoryBytes: memoryOf(variant, settings) };
}

/** Why no node of a fleet can hold a version, whatever memory it has; undefined where one can. */
export function misfitReason(
  version: VersionEntry,
  settings: Settings,
  fleet: readonly NodeCapabilities[],
): string | undefined {
  if (fleet.length === 0) return "there are no nodes";
  if (fleet.some((node) => fitOf(version, settings, node) !== undefined)) return undefined;
  const running = fleet.filter((node) => runsOpsets(version, node));
  if (running.length === 0) {
    const missing = Object.entries(version.opsets).filter(([domain, number]) => !fleet.some(runs(domain, number)));
    const [[domain, number]] = missing.length > 0 ? missing : Object.entries(version.opsets);
    return `no node runs operator set ${number} of ${domain}${missing.length > 0 ? "" : " and all the others"}`;
  }
  const wanted = new Set(version.variants.flatMap((variant) => allowedProviders(variant, settings) ?? []));
  if (wanted.size > 0) return `no node offers ${[...wanted].join(" or ")}`;
  const asked = (settings.executionProviders ?? []).join(" or ");
  return asked === "" ? "no node offers an execution provider" : `no variant of it may run on ${asked}`;
}

function runsOpsets({ opsets }: VersionEntry, node: NodeCapabilities): boolean {
  return Object.entries(opsets).every(([domain, number]) => runs(domain, number)(node));
}

/**
 * A node is believed to run the operators of every domain that it says nothing of: of those that models bring along themselves
 * no node can know, and the validation has run the model with them.
 */
function runs(domain: string, number: number): (node: NodeCapabilities) => boolean {
  return ({ opsets }) => (opsets[domain] ?? number) >= number;
}

function byPrecision(variants: readonly VariantEntry[], precisions: readonly string[]): readonly VariantEntry[] {
  if (precisions.length === 0) return variants;
  const rank = ({ precision }: VariantEntry) =>
    precisions.includes(precision) ? precisions.indexOf(precision) : Infinity;
  return [...variants].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}

/** Best first; undefined where every provider is allowed. */
function allowedProviders({ executionProviders }: VariantEntry, settings: Settings): readonly string[] | undefined {
  const asked = settings.executionProviders ?? [];
  if (asked.length === 0) return executionProviders.length === 0 ? undefined : executionProviders;
  return executionProviders.length === 0 ? asked : asked.filter((provider) => executionProviders.includes(provider));
}

function providersOf(variant: VariantEntry, settings: Settings, node: NodeCapabilities): readonly string[] {
  const allowed = allowedProviders(variant, settings);
  if (allowed === undefined) return node.executionProviders;
  // Without settings the node knows best which one is best.
  return (settings.executionProviders ?? []).length === 0
    ? node.executionProviders.filter((provider) => allowed.includes(provider))
    : allowed.filter((provider) => node.executionProviders.includes(provider));
}

/** What a replica takes of a node's memory. */
export function memoryOf({ memoryBytes, sizeBytes }: VariantEntry, settings: Settings): number {
  return settings.memoryBytes || memoryBytes || sizeBytes;
}
