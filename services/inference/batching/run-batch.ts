import { ServiceError } from "../../../lib/errors.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import { joinedInputs, ownInputs } from "./join.ts";
import type { PendingRequest } from "./pending-request.ts";
import { RowMismatch, splitOutputs } from "./split.ts";

/** What runs a batch. */
export interface BatchRunner {
  /** Gives the named outputs; the inputs' buffers are transferred. */
  readonly run: (inputs: readonly Tensor[], outputNames: readonly string[]) => Promise<readonly Tensor[]>;
  /** Called where the model's outputs do not have the rows of its inputs. */
  readonly onRowMismatch: (mismatch: RowMismatch) => void;
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
async function runJoined(batch: readonly PendingRequest[], { run, onRowMismatch }: BatchRunner): Promise<boolean> {
  const jobs = batch.map(({ job }) => job);
  const rowCounts = batch.map(({ rowCount }) => rowCount);
  try {
    const parts = splitOutputs(await run(joinedInputs(jobs), jobs[0].outputNames), rowCounts);
    for (const [index, request] of batch.entries()) request.resolve(parts[index]);
    return true;
  } catch (failure) {
    if (isLost(failure)) throw failure;
    if (failure instanceof RowMismatch) onRowMismatch(failure);
    return false;
  }
}

async function runAlone(request: PendingRequest, { run }: BatchRunner): Promise<void> {
  try {
    request.resolve(await run(ownInputs(request.job), request.job.outputNames));
  } catch (failure) {
    if (isLost(failure)) throw failure;
    request.reject(failure);
  }
}

function isLost(failure: unknown): boolean {
  return failure instanceof ServiceError && failure.reason === "WORKER_LOST";
}
