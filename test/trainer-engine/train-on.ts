import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import { runTraining, type TrainingRunOptions } from "../../services/trainer/engine/training-run.ts";
import type { TrainingData } from "./training-data.ts";

/** Trains on a table, of which rows are held out as the plan says. */
export function trainOn(plan: TrainingPlan, data: TrainingData, options: TrainingRunOptions = {}) {
  return runTraining(plan, preparedInMemory(data, plan.validationShare, plan.seed), options);
}
