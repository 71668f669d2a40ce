/** Scores of all curves together that are kept as they are; more are counted in bins. */
const keptMax = 2 ** 16;

/** Bins of all curves together. */
const binsMax = 2 ** 20;

/** So many bins has each curve at least; more curves than those for which there is room are not measured. */
const binsMin = 256;

/**
 * The area under the ROC curve of each of several classes against all others, or of several labels: the share of pairs of a row that has it
 * and one that has not in which the first has the higher score, ties counted half (`sklearn.metrics.roc_auc_score`).
 *
 * Exact up to 2^16 scores. Beyond that the log-odds are counted in bins, at most 2^20 of all curves together, and what lies in one bin is
 * a tie.
 */
export class RocAucCounter {
  readonly #curves: readonly Curve[];

  constructor(count: number) {
    const isBounded = count * binsMin <= binsMax;
    const [kept, bins] = [Math.floor(keptMax / count), Math.floor(binsMax / count)];
    this.#curves = isBounded ? Array.from({ length: count }, () => new Curve(kept, bins)) : [];
  }

  /** How many are measured: all, or none where they are too many. */
  get curveCount(): number {
    return this.#curves.length;
  }

  /** `logOdds` is log(p / (1 - p)), infinite where p is 0 or 1. */
  add(index: number, logOdds: number, isPositive: boolean): void {
    this.#curves[index].add(logOdds, isPositive);
  }

  /** The mean over the curves that have rows of both kinds (`average="macro"`); undefined where none has. */
  mean(): number | undefined {
    const areas = this.#curves.map((curve) => curve.area()).filter((area) => area !== undefined);
    return areas.length === 0 ? undefined : areas.reduce((sum, area) => sum + area, 0) / areas.length;
  }
}

/** One curve. */
class Curve {
  readonly #keptMax: number;
  readonly #bins: number;
  #positives: Scores | Bins = new Scores();
  #negatives: Scores | Bins = new Scores();
  #positiveCount = 0;
  #negativeCount = 0;

  constructor(keptMax: number, bins: number) {
    this.#keptMax = keptMax;
    this.#bins = bins;
  }

  add(logOdds: number, isPositive: boolean): void {
    if (this.#positives instanceof Scores && this.#positiveCount + this.#negativeCount === this.#keptMax) {
      this.#positives = new Bins(this.#bins, this.#positives);
      this.#negatives = new Bins(this.#bins, this.#negatives as Scores);
    }
    if (isPositive) this.#positiveCount++;
    else this.#negativeCount++;
    (isPositive ? this.#positives : this.#negatives).add(logOdds);
  }

  area(): number | undefined {
    if (this.#positiveCount === 0 || this.#negativeCount === 0) return undefined;
    const negatives = this.#negatives.steps();
    let [below, area, next] = [0, 0, negatives.next()];
    for (const { at, count } of this.#positives.steps()) {
      for (; !next.done && next.value.at < at; next = negatives.next()) below += next.value.count;
      const tied = !next.done && next.value.at === at ? next.value.count : 0;
      area += count * (below + tied / 2);
    }
    return area / this.#positiveCount / this.#negativeCount;
  }
}

/** How many scores there are at one place, or in one bin. */
interface Step {
  readonly at: number;
  readonly count: number;
}

/** Scores as they are. */
class Scores {
  #values = new Float64Array(64);
  #count = 0;

  add(score: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = score;
  }

  /** In any order. */
  get values(): Float64Array {
    return this.#values.subarray(0, this.#count);
  }

  /** Ascending. */
  *steps(): Generator<Step, undefined> {
    const sorted = this.values.slice().sort();
    for (let begin = 0, end = 0; begin < sorted.length; begin = end) {
      while (end < sorted.length && sorted[end] === sorted[begin]) end++;
      yield { at: sorted[begin], count: end - begin };
    }
  }
}

/** Log-odds beyond these lie in the outermost bins. */
const logOddsMax = 32;

/** Numbers of scores by their bin. */
class Bins {
  readonly #counts: Float64Array;

  constructor(count: number, scores: Scores) {
    this.#counts = new Float64Array(count);
    for (const score of scores.values) this.add(score);
  }

  add(score: number): void {
    const bin = Math.floor(((score + logOddsMax) / (2 * logOddsMax)) * this.#counts.length);
    this.#counts[Math.min(this.#counts.length - 1, Math.max(0, bin))]++;
  }

  /** Ascending. */
  *steps(): Generator<Step, undefined> {
    for (let at = 0; at < this.#counts.length; at++) if (this.#counts[at] > 0) yield { at, count: this.#counts[at] };
  }
}
