import { ServiceError } from "../../../lib/errors.ts";
import { leftNodesKey, triedKey } from "../worker/execution-providers.ts";

/** What a session runs on. */
export interface Placement {
  readonly executionProvider: string;
  /** What takes the nodes of the model that the execution provider cannot, best first; empty where it takes all of them. */
  readonly fallbackProviders: readonly string[];
}

/** A placement that was found. */
export interface Placed<Loaded> {
  readonly placement: Placement;
  readonly loaded: Loaded;
  /** Why it is not an earlier one, in the order of the attempts. */
  readonly refusals: readonly string[];
}

/**
 * Loads with the first execution provider that is offered here and can run the model: all of it; or else the part that it can,
 * where others after it may take the rest. Nothing runs on a provider that is not preferred. Where nobody has a preference, it is
 * what the node offers.
 *
 * Throws ARTIFACT_INVALID where none is offered or none can run the model, INTERNAL where one could at another time, and at once
 * whatever `load` throws that has nothing to do with the provider.
 */
export async function loadPlaced<Loaded>(
  preferred: readonly string[],
  offered: readonly string[],
  load: (placement: Placement) => Promise<Loaded>,
): Promise<Placed<Loaded>> {
  const usable = preferred.length === 0 ? offered : preferred.filter((name) => offered.includes(name));
  if (usable.length === 0) throw noneOffered(preferred, offered);
  const refusals: Refusal[] = [];
  const attempt = async (placement: Placement): Promise<Placed<Loaded> | undefined> => {
    try {
      return { placement, loaded: await load(placement), refusals: refusals.map(textOf) };
    } catch (failure) {
      if (!isOfProvider(failure)) throw failure;
      refusals.push({ placement, fault: failure });
      return undefined;
    }
  };
  for (const [index, executionProvider] of usable.entries()) {
    const others = usable.slice(index + 1);
    let placed = await attempt({ executionProvider, fallbackProviders: [] });
    if (placed === undefined && others.length > 0 && leavesNodes(refusals.at(-1)!)) {
      placed = await attempt({ executionProvider, fallbackProviders: others });
    }
    if (placed !== undefined) return placed;
  }
  throw faultOf(refusals);
}

interface Refusal {
  readonly placement: Placement;
  readonly fault: ServiceError;
}

/** Whether another provider may heal it. */
function isOfProvider(failure: unknown): failure is ServiceError {
  return failure instanceof ServiceError && triedKey in failure.metadata;
}

function leavesNodes({ fault }: Refusal): boolean {
  return leftNodesKey in fault.metadata;
}

function textOf({ placement, fault }: Refusal): string {
  return `${[placement.executionProvider, ...placement.fallbackProviders].join(" with ")}: ${fault.message}`;
}

function faultOf(refusals: readonly Refusal[]): ServiceError {
  if (refusals.length === 1) return refusals[0].fault;
  const reason = refusals.some(({ fault }) => fault.reason === "INTERNAL") ? "INTERNAL" : "ARTIFACT_INVALID";
  return new ServiceError(reason, `no execution provider can run the model: ${refusals.map(textOf).join("; ")}`);
}

function noneOffered(preferred: readonly string[], offered: readonly string[]): ServiceError {
  const message = `the execution providers of the version are ${preferred.join(", ")}; this node offers ${offered.join(", ")}`;
  return new ServiceError("ARTIFACT_INVALID", message);
}
