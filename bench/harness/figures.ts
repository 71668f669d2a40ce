/** One round: the figure, and its baseline measured right beside it. */
export interface Run {
  readonly value: number;
  readonly baseline?: number;
}

/** What a figure, or its ratio to the baseline, must reach. */
export interface Goal {
  readonly of: "value" | "ratio";
  readonly kind: "at least" | "at most";
  readonly bound: number;
}

/** What a scenario has measured. */
export interface Measured {
  readonly metric: string;
  readonly unit: string;
  readonly runs: readonly Run[];
  /** What the baseline is. */
  readonly baselineOf?: string;
  readonly goal?: Goal;
  /** Why the goal is missed where it is, as far as that is known. */
  readonly ifMissed?: string;
  /** Why it was not measured as it should be: no goal is met then. */
  readonly fault?: string | undefined;
}

/** What is printed and kept of it. */
export interface Row {
  readonly metric: string;
  /** The median of the rounds; null where nothing could be measured. */
  readonly value: number | null;
  readonly unit: string;
  readonly baselineOf: string | null;
  /** The median of the rounds. */
  readonly baseline: number | null;
  /** Value by baseline: the median of the rounds' ratios, so that what slows both down for a while does not count. */
  readonly ratio: number | null;
  readonly goal: string | null;
  readonly met: boolean | null;
  /** Why it is not met. */
  readonly reason?: string;
  readonly runs: readonly Run[];
}

export function rowOf({ metric, unit, runs, baselineOf, goal, ifMissed, fault }: Measured): Row {
  const value = median(runs.map((run) => run.value));
  const pairs = runs.flatMap((run) => (run.baseline === undefined ? [] : [{ ...run, baseline: run.baseline }]));
  const baseline = pairs.length === 0 ? null : median(pairs.map((run) => run.baseline));
  const ratio = pairs.length === 0 ? null : median(pairs.map((run) => run.value / run.baseline));
  const reached = goal === undefined ? null : isMet(goal, goal.of === "value" ? value : ratio);
  const met = fault === undefined ? reached : false;
  return {
    metric,
    value,
    unit,
    baselineOf: baselineOf ?? null,
    baseline,
    ratio,
    goal: goal === undefined ? null : goalText(goal, unit),
    met,
    ...(met === false && { reason: fault ?? ifMissed ?? "not known yet" }),
    runs,
  };
}

/** What is kept of a scenario that has failed. */
export function unmeasuredRow(scenario: string, reason: string): Row {
  const nothing = { value: null, unit: "", baselineOf: null, baseline: null, ratio: null };
  return { metric: scenario, ...nothing, goal: "is measured", met: false, reason, runs: [] };
}

function isMet({ kind, bound }: Goal, seen: number | null): boolean {
  if (seen === null || !Number.isFinite(seen)) return false;
  return kind === "at least" ? seen >= bound : seen <= bound;
}

function goalText({ of, kind, bound }: Goal, unit: string): string {
  const sign = kind === "at least" ? "≥" : "≤";
  return of === "ratio" ? `ratio ${sign} ${bound}` : `${sign} ${bound} ${unit}`;
}

/** NaN where there are no values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that a share of all values is not above, between neighbours by their distance; NaN where there are no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** What is measured in turn, by name; each is told which round it is. */
export type Subjects<Figures> = { readonly [Subject in keyof Figures]: (round: number) => Promise<Figures[Subject]> };

/** The figures of each subject, in the order of the rounds. */
export type Rounds<Figures> = { [Subject in keyof Figures]: Figures[Subject][] };

/**
 * Measures every subject once per round, in turn, every other round in the opposite order: what the machine does meanwhile hits
 * all of them. A round before the first warms up and is dropped.
 */
export async function inRounds<Figures extends Record<string, unknown>>(
  rounds: number,
  subjects: Subjects<Figures>,
): Promise<Rounds<Figures>> {
  await oneRound(0, subjects);
  const measured: Figures[] = [];
  for (let round = 1; round <= rounds; round++) measured.push(await oneRound(round, subjects));
  return bySubject(subjects, measured);
}

/** Measures every subject once, in an odd round in the opposite order. */
export async function oneRound<Figures extends Record<string, unknown>>(
  round: number,
  subjects: Subjects<Figures>,
): Promise<Figures> {
  const names = Object.keys(subjects);
  const figures: Record<string, unknown> = {};
  for (const name of round % 2 === 0 ? names : names.toReversed()) figures[name] = await subjects[name]!(round);
  return figures as Figures;
}

/** The figures of rounds, put together by subject. */
export function bySubject<Figures extends Record<string, unknown>>(
  subjects: Subjects<Figures>,
  measured: readonly Figures[],
): Rounds<Figures> {
  const names = Object.keys(subjects);
  return Object.fromEntries(names.map((name) => [name, measured.map((round) => round[name])])) as Rounds<Figures>;
}

/** The rounds of a subject beside those of its baseline. */
export function beside(values: readonly number[], baselines: readonly number[]): Run[] {
  return values.map((value, round) => ({ value, baseline: baselines[round]! }));
}
