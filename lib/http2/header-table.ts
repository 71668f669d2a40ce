import type { HeaderField } from "./static-table.ts";

/** What an entry counts besides its name and value. Source: RFC 7541, section 4.1. */
const overheadBytes = 32;

/** What every side may use of a table, in bytes, unless the other says otherwise; more is never used here. */
export const tableBytesMax = 4096;

/** As many entries as fit; a power of two. */
const slotCount = tableBytesMax / overheadBytes;

/** What an entry, or a header of a list, counts. */
export function fieldBytes(name: string, value: string): number {
  return name.length + value.length + overheadBytes;
}

/** The headers that a connection remembers in one direction, the newest first. Source: RFC 7541, section 2.3.2. */
export class HeaderTable {
  readonly #slots: (HeaderField | undefined)[] = new Array(slotCount).fill(undefined);
  readonly #onEvict: (field: HeaderField, sequence: number) => void;
  #bytes = 0;
  #bytesMax = tableBytesMax;
  /** The entries that there ever were, and those that are gone. */
  #added = 0;
  #gone = 0;

  constructor(onEvict: (field: HeaderField, sequence: number) => void = () => undefined) {
    this.#onEvict = onEvict;
  }

  /** The entries that there ever were: the sequence number of the next one. */
  get added(): number {
    return this.#added;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** By its place, from 0 on; undefined where there is none. */
  at(place: number): HeaderField | undefined {
    return place < this.#added - this.#gone ? this.#slots[(this.#added - 1 - place) % slotCount] : undefined;
  }

  /** Older entries make room for it; one that is larger than the table empties it. Answers whether it is there. */
  add(field: HeaderField): boolean {
    const bytes = fieldBytes(field[0], field[1]);
    this.#shrinkTo(Math.max(0, this.#bytesMax - bytes));
    if (bytes > this.#bytesMax) return false;
    this.#slots[this.#added++ % slotCount] = field;
    this.#bytes += bytes;
    return true;
  }

  /** At most `tableBytesMax`. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#shrinkTo(bytesMax);
  }

  #shrinkTo(bytes: number): void {
    while (this.#bytes > bytes) {
      const slot = this.#gone % slotCount;
      const field = this.#slots[slot]!;
      this.#slots[slot] = undefined;
      this.#bytes -= fieldBytes(field[0], field[1]);
      this.#onEvict(field, this.#gone++);
    }
  }
}
