import type { SettingsEntry, VariantEntry, VersionEntry } from "../store/entries.ts";
import type { NodeCapabilities, ReplicaState } from "./node-state.ts";

/** What a node would hold of a version. */
export interface Fit {
  readonly variant: VariantEntry;
  /** Best first; all of them are the node's. */
  readonly executionProviders: readonly string[];
  /** What it takes of the node's memory for good: nothing where it is loaded on demand. */
  readonly memoryBytes: number;
  /** What it takes of it while it is loaded. */
  readonly loadedBytes: number;
}

type Settings = SettingsEntry["values"];

/**
 * What fits a node best: the first variant, by the precisions that the settings prefer and then in the order of the variants,
 * that may run on a provider of the node; those that the settings name, best first, or all that the node has. Undefined where
 * the node runs none of its operator sets, or no variant may run there.
 */
export function fitOf(version: VersionEntry, settings: Settings, capabilities: NodeCapabilities): Fit | undefined {
  if (!runsOpsets(version.opsets, capabilities)) return undefined;
  for (const variant of byPrecision(version.variants, settings.precisions ?? [])) {
    const executionProviders = providersOf(variant.executionProviders, settings, capabilities);
    if (executionProviders.length > 0) return chosenFit(variant, executionProviders, settings);
  }
  return undefined;
}

/**
 * What a node holds already, whether it would be chosen now or not; undefined where it has said nothing of the variant. The node
 * would load it anew for another list of providers, so that it keeps the one that led to where it runs.
 */
export function heldFit(
  version: VersionEntry,
  settings: Settings,
  replica: ReplicaState,
  capabilities: NodeCapabilities,
): Fit | undefined {
  const { executionProvider, fallbackExecutionProviders } = replica;
  const variant = version.variants.find(({ id }) => id === replica.variant);
  if (variant === undefined || executionProvider === "") return undefined;
  const asked = providersOf(variant.executionProviders, settings, capabilities);
  const held = [executionProvider, ...fallbackExecutionProviders];
  return chosenFit(variant, asked.includes(executionProvider) ? asked : held, settings);
}

/** What a version asks of a node. */
export interface Needs {
  /** The operator sets that its files ask for, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Where each of its variants may run; an empty list means everywhere. */
  readonly executionProviders: readonly (readonly string[])[];
}

/** What no node of a fleet has. */
export type Misfit =
  /** None runs these sets, each by its domain and number; or, where `isTogether`, none runs all of them. */
  | { readonly kind: "opsets"; readonly opsets: readonly (readonly [string, number])[]; readonly isTogether: boolean }
  /** None of these, which run all operator sets, offers a provider that a variant may run on. */
  | { readonly kind: "providers"; readonly running: readonly NodeCapabilities[] };

/**
 * Why no node of a fleet can hold what needs this, whatever memory it has; undefined where one can. It decides what has no place
 * and what aliases may not move to.
 */
export function misfitOf(
  { opsets, executionProviders }: Needs,
  settings: Settings,
  fleet: readonly NodeCapabilities[],
): Misfit | undefined {
  const running = fleet.filter((node) => runsOpsets(opsets, node));
  if (running.length === 0) {
    const lacking = Object.entries(opsets).filter(([domain, number]) => !fleet.every(runs(domain, number)));
    const missing = lacking.filter(([domain, number]) => !fleet.some(runs(domain, number)));
    const isTogether = missing.length === 0;
    return { kind: "opsets", opsets: isTogether ? lacking : missing, isTogether };
  }
  const runsOn = (node: NodeCapabilities) =>
    executionProviders.some((providers) => providersOf(providers, settings, node).length > 0);
  return running.some(runsOn) ? undefined : { kind: "providers", running };
}

/** The same in words. */
export function misfitReason(
  { opsets, variants }: VersionEntry,
  settings: Settings,
  fleet: readonly NodeCapabilities[],
): string | undefined {
  if (fleet.length === 0) return "there are no nodes";
  const executionProviders = variants.map((variant) => variant.executionProviders);
  const misfit = misfitOf({ opsets, executionProviders }, settings, fleet);
  if (misfit === undefined) return undefined;
  if (misfit.kind === "opsets") {
    const [[domain, number]] = misfit.opsets;
    return `no node runs operator set ${number} of ${domain}${misfit.isTogether ? " and all the others" : ""}`;
  }
  const wanted = new Set(executionProviders.flatMap((providers) => allowedProviders(providers, settings) ?? []));
  if (wanted.size > 0) return `no node offers ${[...wanted].join(" or ")}`;
  const asked = (settings.executionProviders ?? []).join(" or ");
  return asked === "" ? "no node offers an execution provider" : `no variant of it may run on ${asked}`;
}

function runsOpsets(opsets: Needs["opsets"], node: NodeCapabilities): boolean {
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
function allowedProviders(ofVariant: readonly string[], settings: Settings): readonly string[] | undefined {
  const asked = settings.executionProviders ?? [];
  if (asked.length === 0) return ofVariant.length === 0 ? undefined : ofVariant;
  return ofVariant.length === 0 ? asked : asked.filter((provider) => ofVariant.includes(provider));
}

function providersOf(ofVariant: readonly string[], settings: Settings, node: NodeCapabilities): readonly string[] {
  const allowed = allowedProviders(ofVariant, settings);
  if (allowed === undefined) return node.executionProviders;
  // Without settings the node knows best which one is best.
  return (settings.executionProviders ?? []).length === 0
    ? node.executionProviders.filter((provider) => allowed.includes(provider))
    : allowed.filter((provider) => node.executionProviders.includes(provider));
}

function chosenFit(variant: VariantEntry, executionProviders: readonly string[], settings: Settings): Fit {
  const [memoryBytes, loadedBytes] = [lastingMemoryOf(variant, settings), memoryOf(variant, settings)];
  return { variant, executionProviders, memoryBytes, loadedBytes };
}

/** What a replica takes of a node's memory for good. */
export function lastingMemoryOf(variant: VariantEntry, settings: Settings): number {
  return settings.residency === "RESIDENCY_ON_DEMAND" ? 0 : memoryOf(variant, settings);
}

/** What a replica takes of a node's memory while it is loaded. */
export function memoryOf({ memoryBytes, sizeBytes }: VariantEntry, settings: Settings): number {
  return settings.memoryBytes || memoryBytes || sizeBytes;
}
