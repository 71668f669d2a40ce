import { ConnectionFault, errorCode } from "./faults.ts";
import { HeaderTable, tableBytesMax } from "./header-table.ts";
import { huffmanText } from "./huffman.ts";
import { type HeaderField, staticTable } from "./static-table.ts";

/** Takes a header. */
export type TakeField = (name: string, value: string) => void;

/**
 * Reads header blocks of one connection, in their order: each may refer to what came before. After a fault nothing can be read any
 * longer. Source: RFC 7541.
 */
export class HeaderDecoder {
  readonly #table = new HeaderTable();
  #block: Buffer = Buffer.alloc(0);
  #place = 0;

  /** Throws a `ConnectionFault`. */
  decode(block: Buffer, take: TakeField): void {
    this.#block = block;
    this.#place = 0;
    let isBegun = false;
    while (this.#place < block.length) {
      const first = block[this.#place]!;
      if ((first & 0xe0) === 0x20) {
        if (isBegun) throw unreadable("the size of the table changes after a header");
        this.#resize(this.#integer(5));
        continue;
      }
      isBegun = true;
      const field = this.#field(first);
      take(field[0], field[1]);
    }
    this.#block = nothing;
  }

  #field(first: number): HeaderField {
    if (first & 0x80) return this.#at(this.#integer(7));
    const isIndexed = (first & 0x40) !== 0;
    const index = this.#integer(isIndexed ? 6 : 4);
    const field: HeaderField = [index === 0 ? this.#text() : this.#at(index)[0], this.#text()];
    if (index === 0 && !nameForm.test(field[0])) throw malformed(`the name ${JSON.stringify(field[0])}`);
    if (lineEnds.test(field[1])) throw malformed(`the value of ${field[0]}`);
    if (isIndexed) this.#table.add(field);
    return field;
  }

  #at(index: number): HeaderField {
    const field = index <= staticTable.length ? staticTable[index - 1] : this.#table.at(index - staticTable.length - 1);
    if (field === undefined) throw unreadable(`no table has an entry ${index}`);
    return field;
  }

  #resize(bytesMax: number): void {
    if (bytesMax > tableBytesMax) {
      throw unreadable(`the table is to have ${bytesMax} bytes; needed: at most ${tableBytesMax}`);
    }
    this.#table.resize(bytesMax);
  }

  /** Of which so many bits are in the first byte. */
  #integer(bits: number): number {
    const most = (1 << bits) - 1;
    const first = this.#byte() & most;
    if (first < most) return first;
    let value = first;
    for (let shift = 0; shift <= shiftMax; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw unreadable("a number has too many bytes");
  }

  #text(): string {
    const isHuffman = (this.#block[this.#place]! & 0x80) !== 0;
    const length = this.#integer(7);
    const begin = this.#place;
    this.#place += length;
    if (this.#place > this.#block.length) throw unreadable("it ends inside of a text");
    return isHuffman
      ? huffmanText(this.#block, begin, this.#place)
      : this.#block.toString("latin1", begin, this.#place);
  }

  #byte(): number {
    if (this.#place >= this.#block.length) throw unreadable("it ends inside of a header");
    return this.#block[this.#place++]!;
  }
}

function unreadable(why: string): ConnectionFault {
  return new ConnectionFault(errorCode.compression, `a header block cannot be read: ${why}`);
}

function malformed(what: string): ConnectionFault {
  return new ConnectionFault(errorCode.protocol, `${what} of a header has characters that are not allowed`);
}

const nothing = Buffer.alloc(0);

/** No number of more than 4 bytes after the first means anything here. */
const shiftMax = 21;

/** RFC 9113, section 8.2.1: a name is a token without capitals; pseudo-headers begin with a colon. */
const nameForm = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const lineEnds = /[\0\r\n]/;
