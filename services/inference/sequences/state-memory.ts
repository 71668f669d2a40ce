/** What the states of all sequences of a node take, under one bound. */
export class StateMemory {
  readonly bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes so many bytes in the place of others; answers whether there is room, and changes nothing where there is not. */
  exchange(takenBytes: number, freedBytes: number): boolean {
    const bytes = this.#bytes - freedBytes + takenBytes;
    if (takenBytes > freedBytes && bytes > this.bytesMax) return false;
    this.#bytes = bytes;
    return true;
  }
}
