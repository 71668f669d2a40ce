import { Occupancy } from "../../services/inference/batching/occupancy.ts";
import { ModelRunner, type ModelRunnerOptions } from "../../services/inference/replicas/model-runner.ts";
import type { LoadedPool } from "../../services/inference/replicas/runners.ts";
import { StateMemory } from "../../services/inference/sequences/state-memory.ts";
import type { InferenceRequest } from "../../services/inference/tensors/decode.ts";
import { ManualClock } from "../manual-clock.ts";
import { plenty } from "./bounds.ts";

/** Those of a model that keeps nothing and answers once, with bounds that nothing reaches. */
export function runnerOptions(change: Partial<ModelRunnerOptions> = {}): ModelRunnerOptions {
  return {
    model: "m",
    states: [],
    kept: [],
    sequences: { sequencesMax: 1000, waitingMax: 1000, idleMs: 60_000 },
    memory: new StateMemory(1e9),
    decoupled: undefined,
    observer: { failed: () => undefined },
    onSequencesEnd: () => undefined,
    queue: plenty,
    nodeQueue: new Occupancy(plenty),
    defaultTimeoutMs: Infinity,
    clock: new ManualClock(),
    ...change,
  };
}

/** A runner of such a model. */
export function bareRunner({ pool, signature }: LoadedPool): ModelRunner {
  return new ModelRunner(pool, signature, runnerOptions());
}

/** A request that belongs to no sequence. */
export function loneRequest(change: Partial<InferenceRequest> = {}): InferenceRequest {
  return {
    inputs: [],
    outputNames: [],
    inputBytes: 0,
    priority: 0,
    timeoutMs: 0,
    sequence: { id: "", starts: false, ends: false },
    responsesMax: 0,
    ...change,
  };
}
