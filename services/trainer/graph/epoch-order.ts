import { Random } from "../../../lib/random.ts";

/**
 * The order in which an epoch (from 1) goes through the training rows. It depends on the seed and the epoch alone, so
 * a run can begin at any epoch.
 */
export function epochOrder(trainingRows: Int32Array, seed: number, epoch: number): Int32Array {
  const order = new Random(seed, `epoch ${epoch}`).permutation(trainingRows.length);
  return order.map((place) => trainingRows[place]);
}
