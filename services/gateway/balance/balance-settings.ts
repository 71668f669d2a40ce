import type { Settings } from "../../../lib/env.ts";
import { readZone } from "../../../lib/service-config.ts";

/** How calls are spread over the replicas of a version. */
export interface BalanceSettings {
  /** Where the gateway stands; empty where nobody says, and then no replica is nearer than another. */
  readonly zone: string;
  /** Calls per core of the gateway's own zone from which on other zones help, as this gateway counts them; 0 for zones alike. */
  readonly zoneCallsPerCore: number;
  readonly slowStart: SlowStart;
  readonly ejection: EjectionSettings;
}

/** How the share of a new replica grows. */
export interface SlowStart {
  /** How long, in milliseconds; 0 for at once. */
  readonly windowMs: number;
  /** 1 grows evenly; above, sooner. */
  readonly aggression: number;
}

/** When a replica gets no calls for a while. */
export interface EjectionSettings {
  /** Failed calls in a row; 0 for never by failures. */
  readonly failures: number;
  /** How many times the median latency of the version's replicas; 0 for never by latency. */
  readonly latencyFactor: number;
  /** For how long the first time, in milliseconds; the second time twice as long, and so on, up to thirty times. */
  readonly baseMs: number;
  /** How many of a version's replicas at most, from 0 to 1; one is always left. */
  readonly shareMax: number;
}

/** Reads and checks them. */
export function readBalanceSettings(settings: Settings): BalanceSettings {
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_GATEWAY_${name}`, { default: preset, min, max });
  return {
    zone: readZone(settings),
    zoneCallsPerCore: whole("ZONE_CALLS_PER_CORE", 1, 0, 10_000),
    slowStart: {
      windowMs: whole("SLOW_START_MS", 10_000, 0, 3_600_000),
      aggression: whole("SLOW_START_AGGRESSION", 1, 1, 10),
    },
    ejection: {
      failures: whole("EJECT_FAILURES", 5, 0, 1000),
      latencyFactor: whole("EJECT_LATENCY_FACTOR", 5, 0, 1000),
      baseMs: whole("EJECT_MS", 10_000, 1, 3_600_000),
      shareMax: whole("EJECT_PERCENT_MAX", 50, 0, 100) / 100,
    },
  };
}
