import type { EjectionSettings } from "./balance-settings.ts";
import type { Replica } from "./replica.ts";

/** How many of so many replicas may be ejected at the same time. */
export function ejectedMax(replicaCount: number, { shareMax }: EjectionSettings): number {
  return Math.max(0, Math.min(Math.floor(replicaCount * shareMax), replicaCount - 1));
}

/** Whether a replica that has just failed has done so too often in a row; of one that is tried once is too often. */
export function failsTooOften(replica: Replica, { failures }: EjectionSettings): boolean {
  return failures > 0 && !replica.isShut && replica.failures >= (replica.isEjected ? 1 : failures);
}

/**
 * The latency, in milliseconds, above which a replica is too slow beside the median of all; Infinity while too little is known. Of an
 * even number the lower median counts, so that of two replicas the faster one is the measure.
 */
export function slownessMs(replicas: readonly Replica[], { latencyFactor }: EjectionSettings): number {
  const known = replicas
    .filter(({ isEjected, latencyMs }) => !isEjected && latencyMs !== undefined)
    .map(({ latencyMs }) => latencyMs!)
    .sort((a, b) => a - b);
  const medianMs = known[(known.length - 1) >> 1];
  if (medianMs === undefined || latencyFactor === 0) return Infinity;
  return Math.max(latencyFactor * medianMs, medianMs + slownessMsMin);
}

/** The slowest replica, where it is slower than that. */
export function slowOutlier(replicas: readonly Replica[], slowMs: number): Replica | undefined {
  const slow = replicas.filter(({ isEjected, latencyMs }) => !isEjected && (latencyMs ?? 0) > slowMs);
  return slow.sort((a, b) => b.latencyMs! - a.latencyMs!)[0];
}

/** Of quick models nobody minds a few milliseconds. */
const slownessMsMin = 20;
