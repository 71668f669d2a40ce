import { ServiceError } from "../../../lib/errors.ts";
import type { TrainingData } from "../engine/training-plan.ts";

/**
 * Rows of `context` + 1 tokens as what next_token learns from: the first `context` of each row go in, and the target of each is the one
 * behind it. Both are shared memory. Throws DATASET_INVALID for rows of another length.
 */
export function nextTokens({ rowCount, featureCount, features }: TrainingData, context: number): TrainingData {
  if (featureCount !== context + 1) {
    throw new ServiceError(
      "DATASET_INVALID",
      `dataset: rows have ${featureCount} columns; needed: ${context + 1}, the ${context} tokens that go in and the one behind them`,
    );
  }
  const part = (first: number) => {
    const tokens = new Int32Array(new SharedArrayBuffer(rowCount * context * Int32Array.BYTES_PER_ELEMENT));
    for (let row = 0; row < rowCount; row++) {
      const begin = row * featureCount + first;
      tokens.set(features.subarray(begin, begin + context), row * context);
    }
    return tokens;
  };
  return { rowCount, featureCount: context, features: part(0), targets: part(1) };
}
