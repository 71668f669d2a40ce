import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import type { Difference } from "./difference.ts";

/** What a version needs of a node. */
export interface Needs {
  /** The operator sets that its file asks for, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Where each of its READY variants may run; an empty list means everywhere. */
  readonly executionProviders: readonly (readonly string[])[];
}

/** Why no node of a fleet can hold a version; nothing where there are no nodes that would know. */
export function fleetDifferences(
  { opsets, executionProviders }: Needs,
  fleet: FleetCapabilities,
): readonly Difference[] {
  if (fleet.nodeCount === 0) return [];
  // Of operators that the model brings along itself no node says anything; the validation has run it with them.
  const unsupported = Object.entries(opsets).filter(
    ([domain, number]) => (fleet.opsets.get(domain) ?? number) < number,
  );
  const differences = unsupported.sort(byDomain).map(([domain, number]): Difference => {
    const newest = String(fleet.opsets.get(domain));
    const message = `no connected node runs operator set ${number} of ${domain}; the newest that one runs is ${newest}`;
    const path = `opsets.${domain}`;
    return { kind: "OPSET_UNSUPPORTED", path, oldValue: newest, newValue: String(number), message, ...bothWays };
  });
  const device = deviceDifference(executionProviders, fleet);
  return device === undefined ? differences : [...differences, device];
}

function deviceDifference(variants: Needs["executionProviders"], fleet: FleetCapabilities): Difference | undefined {
  const runs = (providers: readonly string[]) =>
    providers.length === 0 || providers.some((provider) => fleet.executionProviders.has(provider));
  if (variants.length === 0 || variants.some(runs)) return undefined;
  const [oldValue, newValue] = [fleet.executionProviders, new Set(variants.flat())].map((providers) =>
    [...providers].sort().join(", "),
  ) as [string, string];
  const message = `no connected node offers ${newValue}; there are: ${oldValue || "none"}`;
  return { kind: "DEVICE_UNSUPPORTED", path: "variants", oldValue, newValue, message, ...bothWays };
}

/** Nobody can call a version that runs nowhere. */
const bothWays = { breaksBackward: true, breaksForward: true };

function byDomain([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1;
}
