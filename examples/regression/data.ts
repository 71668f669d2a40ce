import { Random } from "../../lib/random.ts";

/** A regression dataset: 100 features and 100 targets a row, all uniform in [-1, 1) and independent of each other. */
export interface RegressionData {
  readonly rowCount: number;
  readonly featureCount: number;
  readonly targetCount: number;
  /** Row-major [rowCount, featureCount]. */
  readonly features: Float32Array;
  /** Row-major [rowCount, targetCount]. */
  readonly targets: Float32Array;
}

/** The same seed gives the same rows, bit for bit. There is nothing to learn in them: the network can only memorise. */
export function regressionData(seed: number, rowCount = 640): RegressionData {
  const [featureCount, targetCount] = [100, 100];
  const drawn = (stream: string, length: number) => {
    const random = new Random(seed, stream);
    return Float32Array.from({ length }, () => 2 * random.uniform() - 1);
  };
  return {
    rowCount,
    featureCount,
    targetCount,
    features: drawn("features", rowCount * featureCount),
    targets: drawn("targets", rowCount * targetCount),
  };
}

/** The rows as comma-separated values under a header: features `x0`, `x1`, … before targets `y0`, `y1`, … */
export function regressionCsv({ rowCount, featureCount, targetCount, features, targets }: RegressionData): string {
  const named = (letter: string, count: number) => Array.from({ length: count }, (_, index) => `${letter}${index}`);
  const lines = [[...named("x", featureCount), ...named("y", targetCount)].join(",")];
  for (let row = 0; row < rowCount; row++) {
    const ins = features.subarray(row * featureCount, (row + 1) * featureCount);
    const outs = targets.subarray(row * targetCount, (row + 1) * targetCount);
    lines.push([...ins, ...outs].join(","));
  }
  return `${lines.join("\n")}\n`;
}
