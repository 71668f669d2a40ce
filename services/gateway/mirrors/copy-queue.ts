/** Bounds of the copies of requests. */
export interface CopyBounds {
  /** That are held at the same time: waiting, under way, or answered before the request itself. */
  readonly copiesMax: number;
  /** What requests and answers may take that are held for copies. */
  readonly bytesMax: number;
  /** That are under way to one version at the same time. */
  readonly callsMax: number;
}

/** Lets copies go to each version a few at a time, and holds as many others as its bounds allow. */
export class CopyQueue {
  readonly #bounds: CopyBounds;
  /** By version. */
  readonly #lanes = new Map<string, Lane>();
  #copies = 0;
  #bytes = 0;

  constructor(bounds: CopyBounds) {
    this.#bounds = bounds;
  }

  get copies(): number {
    return this.#copies;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a place for a copy of so many bytes; false where there is none. */
  enter(bytes: number): boolean {
    if (this.#copies >= this.#bounds.copiesMax || !this.hold(bytes)) return false;
    this.#copies++;
    return true;
  }

  leave(bytes: number): void {
    this.#copies--;
    this.release(bytes);
  }

  /** Takes room for bytes; false where there is none. */
  hold(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bounds.bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Runs a call to a version once it is its turn, and answers as it does. */
  async run<Result>(version: string, call: () => Promise<Result>): Promise<Result> {
    const lane = this.#lanes.get(version) ?? { running: 0, waiting: [] };
    this.#lanes.set(version, lane);
    if (lane.running >= this.#bounds.callsMax) await new Promise<void>((resolve) => lane.waiting.push(resolve));
    else lane.running++;
    try {
      return await call();
    } finally {
      const next = lane.waiting.shift();
      if (next !== undefined) next();
      else if (--lane.running === 0) this.#lanes.delete(version);
    }
  }
}

interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}
