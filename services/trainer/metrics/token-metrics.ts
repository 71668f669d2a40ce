import { ClassRow } from "./class-row.ts";
import { type ClassForm, definedOf, type Measurement, type MetricCounter } from "./metric-counter.ts";
import { RankCounter } from "./rank-counter.ts";

/** Of targets that are tokens: perplexity, the exponential of the mean of -log p, and how often the right one comes first or among five. */
export class TokenMetrics implements MetricCounter {
  readonly #tokenCount: number;
  readonly #row: ClassRow;
  readonly #ranks: RankCounter;

  constructor(tokenCount: number, form: ClassForm) {
    this.#tokenCount = tokenCount;
    this.#row = new ClassRow(tokenCount, form);
    this.#ranks = new RankCounter(tokenCount);
  }

  add(outputs: Float32Array, targets: Float32Array | Int32Array): void {
    for (let index = 0; index < targets.length; index++) {
      this.#row.read(outputs, index * this.#tokenCount, targets[index]);
      this.#ranks.add(this.#row, targets[index]);
    }
  }

  measured(): Measurement {
    const { means } = this.#ranks;
    if (means === undefined) return { values: {} };
    const { surprise, ...shares } = means;
    return { values: definedOf({ ...shares, perplexity: Math.exp(surprise) }) };
  }
}
