import type { Clock } from "../../../lib/clock.ts";
import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { Instance } from "../replicas/instance.ts";
import { measuredBatchSize } from "./batch-size.ts";
import { type WarmUpSettings, withInitialStates } from "./initial-states.ts";
import { WarmUpOverdue, type WarmUpTime } from "./overdue.ts";
import { warmUpInputs } from "./warm-up-inputs.ts";

/** What is needed to measure. */
export interface FindingParts {
  readonly time: WarmUpTime;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/**
 * The number of rows that an instance should be given at once, measured with random inputs of the shapes of the first warm-up.
 * A model that cannot be run like that gets `preset`; the log says why. Rejects only with {@link WarmUpOverdue}.
 */
export async function foundBatchSize(
  instance: Instance,
  settings: WarmUpSettings,
  preset: number,
  { time, clock, random, log }: FindingParts,
): Promise<number> {
  const { signature } = instance;
  const [first] = settings.warmUps;
  const inputsOf = (rowCount: number) => {
    const inputs = (first?.inputs ?? []).map(({ name, shape }) => ({
      name,
      shape: shape.length > 0 ? [rowCount, ...shape.slice(1)] : shape,
      bytes: new Uint8Array(),
    }));
    const warmUp = withInitialStates({ kind: "random", rowCount, runCount: 1, inputs }, settings, signature);
    return warmUpInputs(signature, warmUp, random);
  };
  const run = async (rowCount: number) => {
    const inputs = inputsOf(rowCount);
    const beginMs = clock.monotonicMs();
    await time.run(instance, inputs);
    return clock.monotonicMs() - beginMs;
  };
  try {
    const rowBytes = inputsOf(1).reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    await run(1);
    const rowCountMax = Math.max(1, Math.min(batchSizeMax, Math.floor(batchBytesMax / Math.max(1, rowBytes))));
    return await measuredBatchSize({ rowCountMax, run, budgetMs });
  } catch (failure) {
    if (failure instanceof WarmUpOverdue) throw failure;
    log.warn({ why: messageOf(failure), maxBatchSize: preset }, "the number of rows to join cannot be measured");
    return preset;
  }
}

/** Rows of the largest batch that is tried. */
const batchSizeMax = 256;
/** Bytes of its inputs. */
const batchBytesMax = 16 * 1024 ** 2;
/** For all runs together, so that no load takes much longer by it. */
const budgetMs = 300;
