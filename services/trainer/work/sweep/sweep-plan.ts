import type { SweepSpec__Output } from "../../../../lib/gen/amaas/trainer/v1/SweepSpec.ts";
import type { TrainSpec__Output } from "../../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { specError } from "../../graph/spec-error.ts";
import { isLessBetter } from "../../jobs/leaderboard.ts";
import type { PublishTarget } from "../../jobs/publish-target.ts";
import { sweepMetricOf } from "../../jobs/work.ts";
import { measuredBy } from "../../metrics/counter-of.ts";
import { drawsOf, gridOf, trialsMax } from "./assignments.ts";
import { type Assignment, type Parameter, parametersOf } from "./parameters.ts";
import type { Strategy } from "./strategy.ts";

/** A sweep that has been checked as far as it can be without its base. */
export interface SweepPlan {
  readonly base: TrainSpec__Output;
  readonly parameters: readonly Parameter[];
  /** What each trial is given, by its index. */
  readonly assignments: readonly Assignment[];
  readonly strategy: Strategy;
  readonly metric: string;
  readonly parallelTrials: number;
}

/** What a sweep is to do; SPEC_INVALID. */
export function sweepPlanOf(spec: SweepSpec__Output): SweepPlan {
  const { base } = spec;
  if (!base) throw specError("base", "not set", "what the trials have in common");
  const parameters = parametersOf(spec.parameters);
  const { rungs, reduction } = rungsOf(spec, base);
  if (rungs.length > 1 && parameters.some(({ field }) => field === "epochs")) {
    throw specError("parameters", "epochs", "other fields: asha decides on epochs");
  }
  const assignments = assignmentsOf(spec, parameters, base.seed);
  const metric = sweepMetricOf(spec);
  const strategy = { trialCount: assignments.length, rungs, reduction, lessIsBetter: isLessBetter(metric) };
  const parallelTrials = within("parallel_trials", spec.parallelTrials || 4, 256);
  return { base, parameters, assignments, strategy, metric, parallelTrials };
}

/** SPEC_INVALID where the trainings do not measure the metric. */
export function checkMetric(metric: string, { data, loss }: PublishTarget, base: TrainSpec__Output): void {
  const hasHeldOut = data.plan.validationShare > 0 || base.data?.split?.kind === "given";
  const heldOut = ["validation_loss", ...measuredBy(loss).map((name) => `validation_${name}`)];
  const known = ["training_loss", ...(hasHeldOut ? heldOut : [])];
  if (!known.includes(metric)) throw specError("metric", metric, `one of ${known.join(", ")}`);
}

function assignmentsOf(spec: SweepSpec__Output, parameters: readonly Parameter[], seed: number) {
  switch (spec.strategy) {
    case "grid":
      return gridOf(parameters);
    case "random":
      return drawsOf(parameters, within("random.trial_count", spec.random!.trialCount, trialsMax), seed);
    case "asha":
      return drawsOf(parameters, within("asha.trial_count", spec.asha!.trialCount, trialsMax), seed);
    case undefined:
      throw specError("strategy", "not set", "one of grid, random, asha");
  }
}

function rungsOf(
  { strategy, asha }: SweepSpec__Output,
  { epochs }: TrainSpec__Output,
): Pick<Strategy, "rungs" | "reduction"> {
  if (strategy !== "asha") return { rungs: [epochs], reduction: 1 };
  const first = within("asha.first_epochs", asha!.firstEpochs || 1, Math.max(epochs, 1));
  const reduction = asha!.reduction || 3;
  if (reduction < 2 || reduction > 16) throw specError("asha.reduction", reduction, "2 to 16");
  const rungs: number[] = [];
  for (let rung = first; rung < epochs; rung *= reduction) rungs.push(rung);
  return { rungs: [...rungs, epochs], reduction };
}

function within(field: string, seen: number, max: number): number {
  if (seen < 1 || seen > max) throw specError(field, seen, `1 to ${max}`);
  return seen;
}
