import { definedOf, type Measurement, type MetricCounter } from "./metric-counter.ts";

/**
 * Of targets that are numbers: the means over rows and outputs of the absolute and of the squared error, and the mean over outputs of R², as
 * `sklearn.metrics.r2_score`: of an output whose targets are all the same it is 1 where there is no error, and 0 elsewhere.
 */
export class NumberMetrics implements MetricCounter {
  readonly #width: number;
  readonly #means: Float64Array;
  /** Sums of squared differences from the mean (Welford 1962). */
  readonly #spreads: Float64Array;
  readonly #squares: Float64Array;
  #absolute = 0;
  #rowCount = 0;

  /** `width` is the number of outputs of a row. */
  constructor(width: number) {
    this.#width = width;
    this.#means = new Float64Array(width);
    this.#spreads = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  add(outputs: Float32Array, targets: Float32Array | Int32Array): void {
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index];
      const column = index % this.#width;
      if (column === 0) this.#rowCount++;
      const error = outputs[index] - target;
      this.#absolute += Math.abs(error);
      this.#squares[column] += error * error;
      const fromMean = target - this.#means[column];
      this.#means[column] += fromMean / this.#rowCount;
      this.#spreads[column] += fromMean * (target - this.#means[column]);
    }
  }

  measured(): Measurement {
    if (this.#rowCount === 0) return { values: {} };
    const count = this.#rowCount * this.#width;
    const squares = this.#squares.reduce((sum, value) => sum + value, 0);
    const r2 = this.#squares.reduce((sum, _, column) => sum + this.#r2(column), 0) / this.#width;
    return {
      values: definedOf({ mae: this.#absolute / count, mse: squares / count, r2: this.#rowCount > 1 ? r2 : undefined }),
    };
  }

  #r2(column: number): number {
    const [squares, spread] = [this.#squares[column], this.#spreads[column]];
    if (spread === 0) return squares === 0 ? 1 : 0;
    return 1 - squares / spread;
  }
}
