import type { OnBehalf } from "../catalogue.ts";
import { specError } from "../graph/spec-error.ts";
import type { JobResult } from "../jobs/job.ts";
import type { Work, WorkKind } from "../jobs/work.ts";
import type { Running } from "../queue/job-attempt.ts";
import { evaluate } from "./evaluate.ts";
import { sweep } from "./sweep/sweep.ts";
import { train } from "./train.ts";
import type { WorkParts, WorkRules } from "./work-rules.ts";

/** The kinds of work; those of the contract that are not here yet are refused. */
const works: { readonly [Kind in WorkKind]: WorkRules<Kind> | undefined } = {
  train,
  evaluate,
  predict: undefined,
  sweep,
};

/** Checks work before its job is accepted, as its rules say. SPEC_INVALID for work that no trainer does. */
export function checkWork(work: Work, parts: WorkParts, onBehalf: OnBehalf): Promise<void> {
  return rulesOf(work).check(work.spec, parts, onBehalf);
}

/** Does the work of a job, as its rules say. */
export function runWork(parts: WorkParts, running: Running): Promise<JobResult> {
  const { work } = running.job;
  return rulesOf(work).run(work.spec, parts, running);
}

/** Whoever calls these gives them the specification of the same work. */
function rulesOf({ kind }: Work): WorkRules<WorkKind> {
  const rules = works[kind];
  const known = Object.entries(works).flatMap(([name, one]) => (one === undefined ? [] : [name]));
  if (rules === undefined) throw specError("job.work", kind, `one of ${known.join(", ")}`);
  return rules as WorkRules<WorkKind>;
}
