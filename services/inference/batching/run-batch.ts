import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import type { RunPhases, RunResult } from "../worker/thread-protocol.ts";
import { joinedInputs, ownInputs } from "./join.ts";
import type { PendingRequest } from "./pending-request.ts";
import type { PoolObserver } from "./pool-observer.ts";
import { RowMismatch, splitOutputs } from "./split.ts";

/** What runs a batch. */
export interface BatchRunner {
  /** Gives the named outputs; the inputs' buffers are transferred. */
  readonly run: (inputs: readonly Tensor[], outputNames: readonly string[]) => Promise<RunResult>;
  /** Called where the model's outputs do not have the rows of its inputs. */
  readonly onRowMismatch: (mismatch: RowMismatch) => void;
  readonly observer: PoolObserver;
  readonly clock: Clock;
}

/**
 * Runs requests of one bucket together and answers each. Where that fails they are run one by one, so that nobody gets the
 * fault of a neighbour. Never rejects; answers whether what runs them is still there.
 */
export async function runBatch(batch: readonly PendingRequest[], runner: BatchRunner): Promise<boolean> {
  try {
    if (batch.length > 1 && (await runJoined(batch, runner))) return true;
    for (const request of batch) if (!request.isSettled) await runAlone(request, runner);
    return true;
  } catch (failure) {
    for (const request of batch) request.reject(failure);
    return !isLost(failure);
  }
}

/** Answers whether the requests have been answered. */
async function runJoined(batch: readonly PendingRequest[], runner: BatchRunner): Promise<boolean> {
  const { run, onRowMismatch, observer, clock } = runner;
  const jobs = batch.map(({ job }) => job);
  const rowCounts = batch.map(({ rowCount }) => rowCount);
  const beginMs = clock.monotonicMs();
  for (const request of batch) request.begin(beginMs);
  try {
    const inputs = joinedInputs(jobs);
    const joinMs = clock.monotonicMs() - beginMs;
    const result = await run(inputs, jobs[0].outputNames);
    const ranMs = clock.monotonicMs();
    const parts = splitOutputs(result.outputs, rowCounts);
    const phases = prolonged(result.phases, joinMs, clock.monotonicMs() - ranMs);
    observer.ran(
      rowCounts.reduce((sum, count) => sum + count, 0),
      phases,
    );
    for (const [index, request] of batch.entries()) request.resolve(parts[index], phases);
    return true;
  } catch (failure) {
    if (isLost(failure)) throw failure;
    if (failure instanceof RowMismatch) onRowMismatch(failure);
    return false;
  }
}

async function runAlone(request: PendingRequest, { run, observer, clock }: BatchRunner): Promise<void> {
  const beginMs = clock.monotonicMs();
  request.begin(beginMs);
  try {
    const inputs = ownInputs(request.job);
    const copyMs = clock.monotonicMs() - beginMs;
    const result = await run(inputs, request.job.outputNames);
    const phases = prolonged(result.phases, copyMs, 0);
    observer.ran(request.rowCount, phases);
    request.resolve(result.outputs, phases);
  } catch (failure) {
    if (isLost(failure)) throw failure;
    request.reject(failure);
  }
}

/** The phases of a run with what this thread did for it. */
function prolonged(phases: RunPhases, inputMs: number, outputMs: number): RunPhases {
  return {
    inputMs: phases.inputMs + inputMs,
    computeMs: phases.computeMs,
    outputMs: phases.outputMs + outputMs,
  };
}

function isLost(failure: unknown): boolean {
  return failure instanceof ServiceError && failure.reason === "WORKER_LOST";
}
