import type { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";

/** A dataset in memory, row-major. */
export type TrainingData = Parameters<typeof preparedInMemory>[0];
