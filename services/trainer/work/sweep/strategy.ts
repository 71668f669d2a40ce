import type { Trial } from "../../jobs/job.ts";
import { compareScores } from "../../jobs/leaderboard.ts";

/** How a sweep goes about its trials. */
export interface Strategy {
  readonly trialCount: number;
  /** The epochs of each rung, growing; a single one where no trial is ended early. */
  readonly rungs: readonly number[];
  /** One in so many trials of a rung comes to the next. */
  readonly reduction: number;
  readonly lessIsBetter: boolean;
}

/** What a sweep does next: it starts the trial that comes next, or brings one to its next rung. */
export type Move = { readonly kind: "start" } | { readonly kind: "advance"; readonly index: number };

/**
 * What to do with a free place, if anything: asynchronous successive halving (Li et al. 2020, algorithm 2). The highest rung comes first; a trial
 * advances once it is among the best share of those that have reached its rung. Where that leaves the last rung empty, because trials were too few
 * or have failed, the best of the highest rung advances when nothing runs any more.
 */
export function nextMove(trials: readonly Trial[], strategy: Strategy): Move | undefined {
  const { trialCount, rungs, reduction } = strategy;
  for (let rung = rungs.length - 2; rung >= 0; rung--) {
    const reached = ranked(trials, rung, strategy);
    const best = reached.slice(0, Math.floor(reached.length / reduction));
    const index = best.find((one) => isAt(trials[one]!, rung));
    if (index !== undefined) return { kind: "advance", index };
  }
  if (trials.length < trialCount) return { kind: "start" };
  if (trials.some(({ state }) => state === "running") || bestOf(trials, strategy) !== undefined) return undefined;
  for (let rung = rungs.length - 2; rung >= 0; rung--) {
    const index = ranked(trials, rung, strategy).find((one) => isAt(trials[one]!, rung));
    if (index !== undefined) return { kind: "advance", index };
  }
  return undefined;
}

/** The trials that wait and may still come to their next rung: each is among as many of its own as ever can, whatever the others reach. */
export function mayAdvance(trials: readonly Trial[], strategy: Strategy): ReadonlySet<number> {
  const { trialCount, rungs, reduction } = strategy;
  const may = new Set<number>();
  for (let rung = 0; rung < rungs.length - 1; rung++) {
    const reached = ranked(trials, rung, strategy);
    const isComing = (trial: Trial, index: number) =>
      trial.scores.length <= rung && (trial.state === "running" || may.has(index));
    const reachedMax = reached.length + trials.filter(isComing).length + trialCount - trials.length;
    const best = reached.slice(0, Math.max(1, Math.floor(reachedMax / reduction)));
    for (const index of best) if (isAt(trials[index]!, rung)) may.add(index);
  }
  return may;
}

/** The index of the best trial that has reached the last rung; of equal ones the first. */
export function bestOf(trials: readonly Trial[], strategy: Strategy): number | undefined {
  return ranked(trials, strategy.rungs.length - 1, strategy)[0];
}

/** The indices of the trials that have reached a rung, the best first. */
function ranked(trials: readonly Trial[], rung: number, { lessIsBetter }: Strategy): readonly number[] {
  const reached = [...trials.keys()].filter((index) => trials[index]!.scores.length > rung);
  return reached.sort((a, b) => compareScores(trials[a]!.scores[rung]!, trials[b]!.scores[rung]!, lessIsBetter));
}

function isAt({ state, scores }: Trial, rung: number): boolean {
  return state === "waiting" && scores.length === rung + 1;
}
