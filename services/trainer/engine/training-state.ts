import type { EpochHistory } from "./epoch-record.ts";
import type { Measured } from "./measured.ts";

/** All of a training between two steps that decides how it goes on, and what it has told so far. */
export interface TrainingState {
  /** Steps taken. */
  readonly stepsDone: number;
  /** The epoch that is under way, from 1. */
  readonly epoch: number;
  /** Of the rows of that epoch so far. */
  readonly sum: Measured;
  /** Parameters that move, the optimizer's tensors, averages and statistics, by the names of the training graph. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
  /** Of the epochs that have ended. */
  readonly history: EpochHistory;
  /** Of the best of them, where they are kept. */
  readonly bestTensors: ReadonlyMap<string, Float32Array>;
  /** Milliseconds spent learning, and those of them spent waiting for data. */
  readonly learnedMs: number;
  readonly waitedMs: number;
  /** What decides the last bits besides: the threads of the plan, and the version of the suite. */
  readonly threadCount: number;
  readonly suite: string;
}
