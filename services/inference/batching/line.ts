/** Where something stands in a line. */
export interface Spot<Entry> {
  readonly entry: Entry;
  before: Spot<Entry> | undefined;
  behind: Spot<Entry> | undefined;
}

/**
 * What waits, in the order in which it came; each may leave from the middle. A list whose links end with the wait, and not a `Set` or
 * `Map`: those replace their tables as things come and go, and the tables of one that has lived for long are old objects for V8, so that
 * what they have ever held lives until a full collection.
 */
export class Line<Entry> implements Iterable<Entry> {
  #first: Spot<Entry> | undefined;
  #last: Spot<Entry> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds at the end. */
  enter(entry: Entry): Spot<Entry> {
    const spot: Spot<Entry> = { entry, before: this.#last, behind: undefined };
    if (this.#last === undefined) this.#first = spot;
    else this.#last.behind = spot;
    this.#last = spot;
    this.#length++;
    return spot;
  }

  /** To be called once for every spot of this line. */
  leave(spot: Spot<Entry>): void {
    const { before, behind } = spot;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    spot.before = undefined;
    spot.behind = undefined;
    this.#length--;
  }

  /** From the first to the last. The one that was given last may leave meanwhile. */
  *[Symbol.iterator](): Generator<Entry> {
    for (let spot = this.#first; spot !== undefined; ) {
      const { entry, behind } = spot;
      yield entry;
      spot = behind;
    }
  }
}
