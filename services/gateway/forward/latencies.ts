/**
 * The latencies of a model's calls of late, as counts in classes that grow by a tenth: a quantile is right to a tenth. Old calls
 * count half as much again and again, so that it follows what changes.
 */
export class Latencies {
  readonly #counts = new Float64Array(classCount);
  #total = 0;

  /** In milliseconds. */
  note(ms: number): void {
    const index = Math.floor(Math.log(Math.max(ms, msMin) / msMin) / classWidth);
    this.#counts[Math.min(index, classCount - 1)]!++;
    if (++this.#total < halveAt) return;
    this.#total /= 2;
    for (let index = 0; index < classCount; index++) this.#counts[index]! /= 2;
  }

  /** The latency, in milliseconds, that a share of the calls does not exceed; undefined while too few are known. */
  quantile(share: number): number | undefined {
    if (this.#total < countMin) return undefined;
    let left = share * this.#total;
    for (let index = 0; index < classCount; index++) {
      left -= this.#counts[index]!;
      if (left <= 0) return msMin * Math.exp((index + 1) * classWidth);
    }
    return msMin * Math.exp(classCount * classWidth);
  }
}

/** The classes begin at 50 µs and reach beyond an hour. */
const msMin = 0.05;
const classWidth = Math.log(1.1);
const classCount = 192;
const countMin = 100;
const halveAt = 2000;
