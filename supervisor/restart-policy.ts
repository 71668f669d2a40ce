/** When a process that has ended is started again. */
export interface RestartPolicy {
  /** The longest pause after a first crash; doubles with every further one. */
  readonly delayMsMin: number;
  /** No pause is longer. */
  readonly delayMsMax: number;
  /** A process that has run for so long is healthy: its next crash counts as the first. */
  readonly steadyMs: number;
  /** How many crashes in a row are followed by another start, once the process has served. */
  readonly crashesMax: number;
  /** The same for a process that has never served: something is wrong with it that waiting does not heal. */
  readonly crashesMaxUnserved: number;
}

export const defaultRestartPolicy: RestartPolicy = {
  delayMsMin: 200,
  delayMsMax: 30_000,
  steadyMs: 60_000,
  crashesMax: 20,
  crashesMaxUnserved: 2,
};

/** What is known when a process has ended unasked. */
export interface Crash {
  /** How many crashes in a row came before this one. */
  readonly crashesBefore: number;
  /** For how long the process ran. */
  readonly ranMs: number;
  /** Whether any run of it has ever served. */
  readonly hasServed: boolean;
}

/** What follows; `crashes` counts those in a row, with this one. */
export type Restart =
  | { readonly kind: "restart"; readonly crashes: number; readonly delayMs: number }
  | { readonly kind: "give-up"; readonly crashes: number };

/**
 * Exponential back-off, its second half random so that processes that failed together do not return together.
 *
 * `random` is a number in [0, 1).
 */
export function restartAfter(crash: Crash, random: number, policy: RestartPolicy): Restart {
  const crashes = crash.ranMs >= policy.steadyMs ? 1 : crash.crashesBefore + 1;
  const crashesMax = crash.hasServed ? policy.crashesMax : policy.crashesMaxUnserved;
  if (crashes > crashesMax) return { kind: "give-up", crashes };
  const ceilingMs = Math.min(policy.delayMsMax, policy.delayMsMin * 2 ** (crashes - 1));
  return { kind: "restart", crashes, delayMs: Math.round(ceilingMs * (0.5 + random / 2)) };
}
