import type { OnBehalf } from "../catalogue.ts";
import type { JobResult } from "../jobs/job.ts";
import type { Work, WorkKind } from "../jobs/work.ts";
import type { Running } from "../queue/job-attempt.ts";
import { evaluate } from "./evaluate.ts";
import { predict } from "./predict.ts";
import { sweep } from "./sweep/sweep.ts";
import { train } from "./train.ts";
import type { WorkParts, WorkRules } from "./work-rules.ts";

/** The kinds of work. */
const works: { readonly [Kind in WorkKind]: WorkRules<Kind> } = { train, evaluate, predict, sweep };

/** Checks work before its job is accepted, as its rules say. */
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
  return works[kind] as WorkRules<WorkKind>;
}
