import { Random } from "../../lib/random.ts";
import type { TrainingData } from "./training-data.ts";

/** Three clouds of points around three corners, one class each. */
export function clusters(rowCount: number): TrainingData {
  const random = new Random(1, "clusters");
  const targets = Int32Array.from({ length: rowCount }, () => random.below(3));
  const features = Float32Array.from({ length: rowCount * 6 }, (_, place) => {
    const [row, column] = [Math.floor(place / 6), place % 6];
    return random.uniform() + (column % 3 === targets[row] ? 1.5 : 0);
  });
  return { rowCount, featureCount: 6, features, targets };
}
