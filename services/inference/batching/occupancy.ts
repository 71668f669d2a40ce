/** Bounds of what waits. */
export interface QueueBounds {
  readonly requestsMax: number;
  readonly rowsMax: number;
  /** Bytes of inputs. */
  readonly bytesMax: number;
}

/** What a request weighs. */
export interface Weighed {
  readonly rowCount: number;
  readonly inputBytes: number;
}

/** What waits somewhere, under bounds. */
export class Occupancy {
  readonly #bounds: QueueBounds;
  readonly #where: string;
  #requests = 0;
  #rows = 0;
  #bytes = 0;

  /** `where` ends a message: "3 requests wait" there. */
  constructor(bounds: QueueBounds, where = "") {
    this.#bounds = bounds;
    this.#where = where;
  }

  get requests(): number {
    return this.#requests;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Of inputs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Which bound a request would exceed; undefined where none. */
  obstacle({ rowCount, inputBytes }: Weighed): string | undefined {
    const { requestsMax, rowsMax, bytesMax } = this.#bounds;
    if (this.#requests >= requestsMax) {
      return `${this.#requests} requests wait${this.#where}; at most ${requestsMax} may`;
    }
    if (this.#rows + rowCount > rowsMax) {
      return `${this.#rows} rows wait${this.#where} and the request has ${rowCount}; at most ${rowsMax} may wait`;
    }
    if (this.#bytes + inputBytes > bytesMax) {
      return `${this.#bytes} bytes wait${this.#where} and the request has ${inputBytes}; at most ${bytesMax} may wait`;
    }
    return undefined;
  }

  enter({ rowCount, inputBytes }: Weighed): void {
    this.#requests++;
    this.#rows += rowCount;
    this.#bytes += inputBytes;
  }

  leave({ rowCount, inputBytes }: Weighed): void {
    this.#requests--;
    this.#rows -= rowCount;
    this.#bytes -= inputBytes;
  }
}
