import { type Misfit, misfitOf, type Needs } from "../control/fit.ts";
import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import type { Difference } from "./difference.ts";

/**
 * Why no node of a fleet can hold a version, whatever the serving settings say; nothing where there are no nodes that would know.
 * Where a version has no READY variant, only its operator sets are asked for.
 */
export function fleetDifferences(needs: Needs, fleet: FleetCapabilities): readonly Difference[] {
  if (fleet.length === 0) return [];
  const misfit = misfitOf(needs, {}, fleet);
  if (misfit?.kind !== "opsets") return deviceDifferences(needs, misfit);
  return [
    ...opsetDifferences(misfit, fleet),
    ...deviceDifferences(needs, misfitOf({ ...needs, opsets: {} }, {}, fleet)),
  ];
}

function opsetDifferences({ opsets, isTogether }: Misfit & { kind: "opsets" }, fleet: FleetCapabilities): Difference[] {
  return [...opsets].sort(byDomain).map(([domain, number]): Difference => {
    const newest = String(Math.max(...fleet.map((node) => node.opsets[domain] ?? 0)));
    const others = isTogether ? " and all the others that it asks for" : "";
    const message = `no connected node runs operator set ${number} of ${domain}${others}; the newest that one runs is ${newest}`;
    const path = `opsets.${domain}`;
    return { kind: "OPSET_UNSUPPORTED", path, oldValue: newest, newValue: String(number), message, ...bothWays };
  });
}

function deviceDifferences({ executionProviders }: Needs, misfit: Misfit | undefined): Difference[] {
  if (misfit?.kind !== "providers" || executionProviders.length === 0) return [];
  const offered = misfit.running.flatMap((node) => node.executionProviders);
  const [oldValue, newValue] = [offered, executionProviders.flat()].map((providers) =>
    [...new Set(providers)].sort().join(", "),
  ) as [string, string];
  const message = `no connected node that runs its operator sets offers ${newValue || "an execution provider"}; there are: ${oldValue || "none"}`;
  return [{ kind: "DEVICE_UNSUPPORTED", path: "variants", oldValue, newValue, message, ...bothWays }];
}

/** Nobody can call a version that runs nowhere. */
const bothWays = { breaksBackward: true, breaksForward: true };

function byDomain([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1;
}
