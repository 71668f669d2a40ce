import type { Replica } from "./replica.ts";

/** Replicas to draw from by weight. */
export class ReplicaPool {
  readonly replicas: readonly Replica[];
  /** Of the weights up to each of them. */
  readonly #sums: readonly number[];
  readonly #sum: number;

  constructor(replicas: readonly Replica[]) {
    this.replicas = replicas;
    let sum = 0;
    this.#sums = replicas.map(({ place }) => {
      sum += place.weight;
      return sum;
    });
    this.#sum = sum;
  }

  /**
   * What is seen of one of those that are usable, each as often as its weight says; undefined where there is none. By rejection, so that
   * of hundreds only those are looked at that are drawn; where too many are rejected, all are. `random` answers a number in [0, 1).
   */
  draw<Seen>(see: (replica: Replica) => Seen | undefined, random: () => number): Seen | undefined {
    const { replicas } = this;
    if (replicas.length <= 1) return replicas.length === 0 ? undefined : see(replicas[0]!);
    for (let tries = 0; tries < triesMax; tries++) {
      const seen = see(replicas[indexIn(this.#sums, random() * this.#sum)]!);
      if (seen !== undefined) return seen;
    }
    const usable = replicas.filter((replica) => see(replica) !== undefined);
    return usable.length === 0 ? undefined : new ReplicaPool(usable).draw(see, random);
  }
}

const triesMax = 8;

/** The first whose sum is above a value below the last one. */
function indexIn(sums: readonly number[], value: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
