import type { Clock } from "../../../lib/clock.ts";
import type { Signature } from "../../../lib/tensor.ts";
import type { Occupancy } from "../batching/occupancy.ts";
import type { PoolObserver } from "../batching/pool-observer.ts";
import type { SequenceBounds } from "../sequences/sequence-settings.ts";
import { StateMemory } from "../sequences/state-memory.ts";
import type { AspiredVersion, ReplicaSettings } from "./aspired-version.ts";
import type { InstancePool } from "./instance-pool.ts";
import { ModelRunner } from "./model-runner.ts";
import { type NodeSettings, waitSettings } from "./pool-settings.ts";

/** How a node keeps the sequences of every replica that is not set otherwise. */
export interface SequenceDefaults extends Pick<NodeSettings, "queue"> {
  readonly sequences: SequenceBounds;
  /** What the states of all sequences together may take, in bytes. */
  readonly stateBytesMax: number;
}

/** A pool whose model is loaded. */
export interface LoadedPool {
  readonly pool: InstancePool;
  readonly signature: Signature;
  /** Is told of requests that do not come as far as the pool. */
  readonly observer: PoolObserver;
  /** Called when no sequence is kept any longer. */
  readonly onSequencesEnd: () => void;
}

/** Makes the runners of the replicas of one node, which share what their states may take. */
export class Runners {
  readonly #defaults: SequenceDefaults;
  readonly #nodeQueue: Occupancy;
  readonly #memory: StateMemory;
  readonly #clock: Clock;

  constructor(defaults: SequenceDefaults, nodeQueue: Occupancy, clock: Clock) {
    this.#defaults = defaults;
    this.#nodeQueue = nodeQueue;
    this.#memory = new StateMemory(defaults.stateBytesMax);
    this.#clock = clock;
  }

  /** The runner of a version as it is set, and otherwise as the node is. Throws ARTIFACT_INVALID where that does not fit the model. */
  open({ model, settings }: AspiredVersion, { pool, signature, observer, onSequencesEnd }: LoadedPool): ModelRunner {
    return new ModelRunner(pool, signature, {
      model,
      states: settings.sequences?.states ?? [],
      kept: pool.kept,
      sequences: sequenceBounds(settings, this.#defaults),
      memory: this.#memory,
      decoupled: settings.decoupled,
      observer,
      onSequencesEnd,
      nodeQueue: this.#nodeQueue,
      clock: this.#clock,
      ...waitSettings(settings, this.#defaults),
    });
  }
}

/** Bounds of the sequences of a version as it is set, and otherwise as the node is. */
export function sequenceBounds(
  { sequences }: Pick<ReplicaSettings, "sequences">,
  { sequences: preset }: Pick<SequenceDefaults, "sequences">,
): SequenceBounds {
  return {
    sequencesMax: sequences?.sequencesMax || preset.sequencesMax,
    waitingMax: preset.waitingMax,
    idleMs: sequences?.idleMs || preset.idleMs,
  };
}
