import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { bySubject, oneRound, type Rounds, type Subjects } from "./figures.ts";
import { allProcesses, type KnownProcess, ticksPerSecond } from "./process-figures.ts";

/** So many rounds at most for each one that is wanted. */
const attemptsPerRound = 3;

/** The share of the processors' time that others may have where a machine counts as idle. */
const othersShareMax = 0.005;

/** The rounds in which a machine was the most idle. */
export interface IdleRounds<Figures> {
  readonly figures: Rounds<Figures>;
  /** Which share of the processors' time others had in each of them. */
  readonly othersShares: readonly number[];
  /** A sentence on that, for figures that miss their goal. */
  readonly said: string;
}

/**
 * As `inRounds`, for figures that are told of an otherwise idle machine, since short pauses decide them. Rounds are chosen by what others
 * had of the processors meanwhile, never by what was measured: there are more until `rounds` of them were idle, three times as many at
 * most, and the most idle ones count.
 */
export async function inIdleRounds<Figures extends Record<string, unknown>>(
  rounds: number,
  subjects: Subjects<Figures>,
  othersSeconds: () => Promise<number> = othersSecondsSoFar,
): Promise<IdleRounds<Figures>> {
  await oneRound(0, subjects);
  const attempts: { readonly figures: Figures; readonly share: number }[] = [];
  const idle = () => attempts.filter(({ share }) => share <= othersShareMax);
  while (idle().length < rounds && attempts.length < rounds * attemptsPerRound) {
    const [beginMs, before] = [performance.now(), await othersSeconds()];
    const figures = await oneRound(attempts.length + 1, subjects);
    const seconds = (performance.now() - beginMs) / 1000;
    // Less than none: one has ended whose time nobody keeps, and it may have been busy until then.
    const others = Math.abs((await othersSeconds()) - before);
    attempts.push({ figures, share: others / seconds / availableParallelism() });
  }
  const chosen = attempts.toSorted((a, b) => a.share - b.share).slice(0, rounds);
  const shares = chosen.map(({ share }) => share);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return {
    figures: bySubject(
      subjects,
      chosen.map(({ figures }) => figures),
    ),
    othersShares: shares,
    said:
      `of ${attempts.length} rounds ${idle().length} had an idle machine; in the ${rounds} that count, other programs and the host of the ` +
      `machine had ${percent(shares[0]!)} to ${percent(shares.at(-1)!)} of the processors' time`,
  };
}

/**
 * Processor time that others than this bench have had since the start of the machine, in seconds: other programs, and the host where
 * the machine is a virtual one ("steal" of proc_stat(5)).
 */
async function othersSecondsSoFar(): Promise<number> {
  const [line] = (await readFile("/proc/stat", "utf8")).split("\n", 1);
  const stolenSeconds = Number(line!.split(/\s+/)[stealColumn]) / ticksPerSecond;
  return stolenSeconds + secondsBeside(process.pid, await allProcesses());
}

/** Of the first line of /proc/stat, which begins with "cpu". */
const stealColumn = 8;

/** Processor time of all processes but one and those below it, in seconds. */
export function secondsBeside(pid: number, processes: readonly KnownProcess[]): number {
  const parents = new Map(processes.map((known) => [known.pid, known.parent]));
  const isBelow = (found: number | undefined): boolean =>
    found !== undefined && (found === pid || isBelow(parents.get(found)));
  return processes.filter((known) => !isBelow(known.pid)).reduce((sum, { own, ended }) => sum + own + ended, 0);
}
