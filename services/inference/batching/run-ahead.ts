import { ServiceError } from "../../../lib/errors.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import { NotBegun } from "../worker/run-claim.ts";
import type { RunResult } from "../worker/thread-protocol.ts";
import { ownInputs } from "./join.ts";
import type { PendingRequest } from "./pending-request.ts";
import { type BatchRunner, isLost } from "./run-batch.ts";

/** What is busy and runs a request next. */
export interface AheadRunner extends Pick<BatchRunner, "onLost" | "observer" | "clock"> {
  /** Gives it the request; see `Instance.runAhead`. */
  readonly run: (
    inputs: readonly Tensor[],
    outputNames: readonly string[],
    deadlineMs: number,
  ) => { readonly result: Promise<RunResult>; takeBack(): boolean };
  /** Called when the request has been run, before it is answered, with how many milliseconds that took. */
  readonly onRan: (durationMs: number) => void;
  /** Called where what runs it was lost before it had begun, with the request, which has no outcome. */
  readonly onNotBegun: (request: PendingRequest) => void;
}

/**
 * Gives a request to what is busy, and answers it. A caller that goes away takes it back. Never rejects; answers whether what runs it is
 * still there.
 */
export async function runAhead(request: PendingRequest, runner: AheadRunner): Promise<boolean> {
  const { job, deadlineMs, rowCount } = request;
  const { run, onRan, observer, clock } = runner;
  try {
    // What was not begun is run elsewhere.
    const given = run(ownInputs({ ...job, keepsInputs: true }), job.outputNames, deadlineMs);
    request.takeBack = given.takeBack;
    const { outputs, phases } = await given.result;
    const durationMs = phases.inputMs + phases.computeMs + phases.outputMs;
    request.begin(clock.monotonicMs() - durationMs);
    onRan(durationMs);
    observer.ran(rowCount, phases);
    request.resolve(outputs, phases);
    return true;
  } catch (failure) {
    return isThereAfter(failure, request, runner);
  } finally {
    request.takeBack = undefined;
  }
}

function isThereAfter(failure: unknown, request: PendingRequest, { onNotBegun, onLost, clock }: AheadRunner): boolean {
  const { isSettled } = request;
  if (failure instanceof NotBegun) {
    // It was taken back for its caller, or else went with what was to run it.
    if (!isSettled) onNotBegun(request);
    return isSettled;
  }
  if (!isLate(failure)) request.begin(clock.monotonicMs());
  if (!isLost(failure)) request.reject(failure);
  else if (!isSettled) onLost([request], failure);
  return !isLost(failure);
}

/** A session has no such fault: its thread has not run the request. */
function isLate(failure: unknown): boolean {
  return failure instanceof ServiceError && failure.reason === "DEADLINE_EXCEEDED";
}
