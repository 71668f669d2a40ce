/** A stream of a connection. */
interface Entry<Stream> {
  readonly id: number;
  readonly stream: Stream;
  next: Entry<Stream> | undefined;
}

/**
 * The streams of a connection by their numbers, in the place of the `Map` that Node keeps them in, with as much of one as it uses. A
 * `Map` replaces its table as things come and go, and the tables of one that has lived for long are old objects for V8, so that what
 * they have ever held lives until a full collection: of calls that are over soon most would, with all that belongs to them.
 */
export class StreamTable<Stream> {
  readonly #slots: (Entry<Stream> | undefined)[] = new Array(slotCount).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    let entry = this.#slots[slotOf(id)];
    while (entry !== undefined && entry.id !== id) entry = entry.next;
    return entry?.stream;
  }

  /** No number is there twice. */
  set(id: number, stream: Stream): void {
    const slot = slotOf(id);
    this.#slots[slot] = { id, stream, next: this.#slots[slot] };
    this.#size++;
  }

  delete(id: number): void {
    const slot = slotOf(id);
    let before: Entry<Stream> | undefined;
    let entry = this.#slots[slot];
    for (; entry !== undefined && entry.id !== id; entry = entry.next) before = entry;
    if (entry === undefined) return;
    if (before === undefined) this.#slots[slot] = entry.next;
    else before.next = entry.next;
    entry.next = undefined;
    this.#size--;
  }

  /** Streams may be deleted meanwhile. */
  forEach(callback: (stream: Stream) => void): void {
    if (this.#size === 0) return;
    const streams: Stream[] = [];
    for (const first of this.#slots) {
      for (let entry = first; entry !== undefined; entry = entry.next) streams.push(entry.stream);
    }
    for (const stream of streams) callback(stream);
  }
}

/** A power of two. Callers number their streams 1, 3, 5 and on. */
const slotCount = 128;

function slotOf(id: number): number {
  return (id >>> 1) & (slotCount - 1);
}
