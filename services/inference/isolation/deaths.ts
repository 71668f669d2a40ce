import { assert } from "../../../lib/errors.ts";

/** That a node has ended without stopping while it ran a model. */
export interface Death {
  /** Of the ONNX file, in lower-case hexadecimal digits. */
  readonly sha256: string;
  /** When the run had begun, in milliseconds since 1970. */
  readonly atMs: number;
}

/** Reads the JSON of a list of them. Throws where it is something else. */
export function deathsIn(json: string): readonly Death[] {
  const deaths: unknown = JSON.parse(json);
  assert(Array.isArray(deaths) && deaths.every(isDeath), "this is no list of deaths");
  return deaths;
}

/** With others, each of which counts once, however often it is found. */
export function withDeaths(deaths: readonly Death[], others: readonly Death[]): readonly Death[] {
  const isNew = (other: Death) => !deaths.some(({ sha256, atMs }) => sha256 === other.sha256 && atMs === other.atMs);
  return [...deaths, ...others.filter(isNew)];
}

/** The deaths that still count: not too old, and the latest of too many. */
export function recentDeaths(deaths: readonly Death[], nowMs: number): readonly Death[] {
  return deaths.filter(({ atMs }) => nowMs - atMs < memoryMs).slice(-deathsMax);
}

/**
 * The models that a node had been running at two of its deaths in ten minutes. One death says little: whoever kills a busy node
 * finds it running something.
 */
export function suspectsOf(deaths: readonly Death[]): ReadonlySet<string> {
  const suspects = new Set<string>();
  const latest = new Map<string, number>();
  for (const { sha256, atMs } of deaths) {
    const before = latest.get(sha256);
    if (before !== undefined && atMs - before <= withinMs) suspects.add(sha256);
    latest.set(sha256, atMs);
  }
  return suspects;
}

/** How long a death is remembered. */
const memoryMs = 24 * 3_600_000;
const deathsMax = 1000;
const withinMs = 600_000;

function isDeath(value: unknown): value is Death {
  const { sha256, atMs } = (value ?? {}) as Partial<Death>;
  return typeof sha256 === "string" && typeof atMs === "number";
}
