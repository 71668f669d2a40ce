/** Replicas by numbers, to draw from by weight. What is read for that lies in one flat list: of ten thousand models little is in a cache. */
export class Seats {
  /** By turns the weights up to and with those of a replica, and its address. */
  readonly #list: readonly (number | string)[];

  constructor(places: readonly { readonly address: string; readonly weight: number }[]) {
    let sum = 0;
    this.#list = places.flatMap(({ address, weight }) => {
      sum += weight;
      return [sum, address];
    });
  }

  address(seat: number): string {
    return this.#list[2 * seat + 1] as string;
  }

  weight(seat: number): number {
    return this.#sum(seat) - this.#sum(seat - 1);
  }

  /**
   * What is seen of one of the seats from `begin` to before `end` that are usable, each as often as its weight says; undefined where there is none. By
   * rejection, so that of hundreds only those are looked at that are drawn; where too many are rejected, all are. `random` answers a
   * number in [0, 1).
   */
  draw<Seen>(
    begin: number,
    end: number,
    see: (seat: number) => Seen | undefined,
    random: () => number,
  ): Seen | undefined {
    if (end - begin <= 1) return begin === end ? undefined : see(begin);
    const before = this.#sum(begin - 1);
    const total = this.#sum(end - 1) - before;
    for (let tries = 0; tries < triesMax; tries++) {
      const seen = see(this.#seatOf(before + random() * total, begin, end));
      if (seen !== undefined) return seen;
    }
    return this.#drawUsable(begin, end, see, random);
  }

  #drawUsable<Seen>(begin: number, end: number, see: (seat: number) => Seen | undefined, random: () => number) {
    const usable: { readonly seen: Seen; readonly sum: number }[] = [];
    let sum = 0;
    for (let seat = begin; seat < end; seat++) {
      const seen = see(seat);
      if (seen === undefined) continue;
      sum += this.weight(seat);
      usable.push({ seen, sum });
    }
    const value = random() * sum;
    return (usable.find((one) => one.sum > value) ?? usable.at(-1))?.seen;
  }

  /** The first of them whose sum is above a value below that of the last one. */
  #seatOf(value: number, begin: number, end: number): number {
    let low = begin;
    let high = end - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sum(middle) > value) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #sum(seat: number): number {
    return seat < 0 ? 0 : (this.#list[2 * seat] as number);
  }
}

const triesMax = 8;
