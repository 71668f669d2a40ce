import { join } from "node:path";
import { messageOf } from "../../../lib/errors.ts";
import { writeCheckpoint } from "./checkpoint-file.ts";
import type { TrainingState } from "./training-state.ts";

/** Where the state of a training is kept, and how often. */
export interface CheckpointSettings {
  /** A folder of this run's own. Files in it belong to whoever is told of them. */
  readonly folder: string;
  /** Whenever so many steps have been taken, from the first of the run on. */
  readonly everySteps?: number | undefined;
  /** Whenever so much time has passed. */
  readonly everyMs?: number | undefined;
  /** Behind the last epoch too, for another run that has more of them. */
  readonly last?: boolean | undefined;
}

/** A state that lies in a file. */
export interface KeptCheckpoint {
  readonly path: string;
  readonly step: number;
}

/** What is told of checkpoints. */
export interface CheckpointHooks {
  readonly onCheckpoint: (checkpoint: KeptCheckpoint) => void;
  /** One that could not be written; the training goes on, and tries again when the next one is due. */
  readonly onCheckpointLost: (why: string) => void;
}

/** Decides when the state of a run is kept, and keeps it. Time is that since some moment, so that a clock that is set does not matter. */
export class Checkpoints {
  readonly #settings: CheckpointSettings;
  readonly #hooks: CheckpointHooks;
  #keptMs = performance.now();
  /** Of the last state that was written. */
  #keptStep: number;

  /** `stepsDone` is where the run begins; the state there is that of a checkpoint, or follows from the plan. */
  constructor(settings: CheckpointSettings, hooks: CheckpointHooks, stepsDone: number) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#keptStep = stepsDone;
  }

  /** How many steps may be taken at once, so that none that is due is missed. */
  stepsMax(stepsDone: number): number {
    const { everySteps } = this.#settings;
    return everySteps === undefined ? Number.POSITIVE_INFINITY : everySteps - (stepsDone % everySteps);
  }

  isDue(stepsDone: number): boolean {
    const { everySteps, everyMs } = this.#settings;
    if (stepsDone === this.#keptStep) return false;
    if (everySteps !== undefined && stepsDone % everySteps === 0) return true;
    return everyMs !== undefined && performance.now() - this.#keptMs >= everyMs;
  }

  /** Whether the state behind the last epoch is kept. */
  get keepsLast(): boolean {
    return this.#settings.last ?? false;
  }

  /** Writes a state, or tells why it could not; one of a step that is kept already is not written over the file of that. */
  keep(state: TrainingState): void {
    if (state.stepsDone === this.#keptStep) return;
    const path = join(this.#settings.folder, `checkpoint-${state.stepsDone}`);
    try {
      writeCheckpoint(path, state);
      this.#keptStep = state.stepsDone;
    } catch (failure) {
      this.#hooks.onCheckpointLost(`the state after step ${state.stepsDone} cannot be written: ${messageOf(failure)}`);
      return;
    } finally {
      this.#keptMs = performance.now();
    }
    this.#hooks.onCheckpoint({ path, step: state.stepsDone });
  }
}
