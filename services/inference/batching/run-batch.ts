import type { Clock } from "../../../lib/clock.ts";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
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
  /**
   * Called when all have been run at the first go, before they are answered: what runs them need not wait for that. Where some are run
   * by themselves it is not called.
   */
  readonly onRan: () => void;
  /** Called where requests that can be run alone cannot be run together, with why. */
  readonly onUnjoinable: (why: string) => void;
  /** Called with what had no outcome yet when what runs it was lost. */
  readonly onLost: (requests: readonly PendingRequest[], fault: ServiceError) => void;
  readonly observer: PoolObserver;
  readonly clock: Clock;
}

/**
 * Runs requests of one bucket together and answers each. Where that fails each half is run by itself, and so on, so that nobody gets
 * the fault of a neighbour. Never rejects; answers whether what runs them is still there.
 */
export async function runBatch(batch: readonly PendingRequest[], runner: BatchRunner): Promise<boolean> {
  try {
    await runTogether(batch, runner, runner.onRan);
    return true;
  } catch (failure) {
    const open = batch.filter(({ isSettled }) => !isSettled);
    if (isLost(failure)) runner.onLost(open, failure);
    else for (const request of open) request.reject(failure);
    return !isLost(failure);
  }
}

/** Answers whether none has failed alone. */
async function runTogether(
  batch: readonly PendingRequest[],
  runner: BatchRunner,
  onRan: () => void = () => undefined,
): Promise<boolean> {
  const open = batch.filter(({ isSettled }) => !isSettled);
  if (open.length === 0) return true;
  if (open.length === 1) return runAlone(open[0], runner, onRan);
  const failure = await runJoined(open, runner, onRan);
  if (failure === undefined) return true;
  const parts = failure instanceof RowMismatch ? open.map((request) => [request]) : halvesOf(open);
  let areGood = true;
  for (const part of parts) areGood = (await runTogether(part, runner)) && areGood;
  // A machine that was short of something for a moment says nothing about the model.
  const isOfModel = !(failure instanceof ServiceError && failure.reason === "INTERNAL");
  if (areGood && isOfModel && open.length === batch.length) runner.onUnjoinable(messageOf(failure));
  return areGood;
}

function halvesOf(batch: readonly PendingRequest[]): readonly (readonly PendingRequest[])[] {
  const middle = Math.ceil(batch.length / 2);
  return [batch.slice(0, middle), batch.slice(middle)];
}

/** Answers why the requests have not been answered. */
async function runJoined(batch: readonly PendingRequest[], runner: BatchRunner, onRan: () => void): Promise<unknown> {
  const { run, observer, clock } = runner;
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
    onRan();
    const rowCount = rowCounts.reduce((sum, count) => sum + count, 0);
    observer.ran(rowCount, phases);
    for (const [index, request] of batch.entries()) request.resolve(parts[index], phases);
    return undefined;
  } catch (failure) {
    if (isLost(failure)) throw failure;
    return failure;
  }
}

/** Answers whether it was answered with outputs. */
async function runAlone(
  request: PendingRequest,
  { run, observer, clock }: BatchRunner,
  onRan: () => void,
): Promise<boolean> {
  const beginMs = clock.monotonicMs();
  request.begin(beginMs);
  try {
    const inputs = ownInputs(request.job);
    const copyMs = clock.monotonicMs() - beginMs;
    const result = await run(inputs, request.job.outputNames);
    const phases = prolonged(result.phases, copyMs, 0);
    onRan();
    observer.ran(request.rowCount, phases);
    request.resolve(result.outputs, phases);
    return true;
  } catch (failure) {
    if (isLost(failure)) throw failure;
    request.reject(failure);
    return false;
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

/** Whether a fault is that what runs requests was lost. */
export function isLost(failure: unknown): failure is ServiceError {
  return failure instanceof ServiceError && failure.reason === "WORKER_LOST";
}
