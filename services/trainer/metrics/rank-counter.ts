import type { ClassRow } from "./class-row.ts";

/** What rows of classes come to. */
export interface RankMeans {
  /** The share of rows whose best class is the right one. */
  readonly accuracy: number;
  /** Whose right class is among the best five, as `sklearn.metrics.top_k_accuracy_score(k=5)`; given with more than five classes. */
  readonly top5_accuracy?: number;
  /** The mean of -log p of the right class. */
  readonly surprise: number;
}

/** Counts how often the right class comes first or among the first five, and how surprising it is. */
export class RankCounter {
  readonly #classCount: number;
  #count = 0;
  #first = 0;
  #amongFive = 0;
  #surprise = 0;

  constructor(classCount: number) {
    this.#classCount = classCount;
  }

  add(row: ClassRow, label: number): void {
    this.#count++;
    if (row.best === label) this.#first++;
    if (row.rank < 5) this.#amongFive++;
    this.#surprise += row.surprise;
  }

  /** Undefined without any row. */
  get means(): RankMeans | undefined {
    if (this.#count === 0) return undefined;
    return {
      accuracy: this.#first / this.#count,
      ...(this.#classCount > 5 && { top5_accuracy: this.#amongFive / this.#count }),
      surprise: this.#surprise / this.#count,
    };
  }
}
