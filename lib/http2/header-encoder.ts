import type { OutgoingHttpHeaders } from "node:http2";
import { ServiceError } from "../errors.ts";
import { HeaderTable, tableBytesMax } from "./header-table.ts";
import { staticTable } from "./static-table.ts";

/** What is known of a name. */
interface NameRecord {
  /** Its first number in the static table; 0 where it has none. */
  readonly index: number;
  /** The sequence numbers of its values in the table. */
  readonly values: Map<string, number>;
  /** How often a value was there, and how often it was not. */
  hits: number;
  misses: number;
}

/**
 * Writes header blocks of one connection, in the order in which they are sent. Values that come again are sent as a number; names
 * whose values hardly ever do, such as ids of requests, take no room in the table. Source: RFC 7541.
 */
export class HeaderEncoder {
  readonly #names = new Map<string, NameRecord>();
  readonly #table = new HeaderTable(([name, value]) => this.#names.get(name)!.values.delete(value));
  /** The least that the other side has allowed since the last block; undefined where nothing has changed. */
  #leastBytes: number | undefined;
  #block = Buffer.allocUnsafeSlow(1024);
  #length = 0;

  /** The other side remembers at most so many bytes from now on. */
  resize(bytesMax: number): void {
    const usedMax = Math.min(bytesMax, tableBytesMax);
    if (usedMax === this.#table.bytesMax) return;
    this.#leastBytes = Math.min(usedMax, this.#leastBytes ?? Infinity);
    this.#table.resize(usedMax);
  }

  /** Pseudo-headers first; all that `checkSendable` lets pass. The answer is valid until the next one. */
  encode(headers: OutgoingHttpHeaders): Buffer {
    this.#length = 0;
    this.#writeSizes();
    for (const name in headers) if (isPseudo(name)) this.#writeAll(name, headers[name]);
    for (const name in headers) if (!isPseudo(name)) this.#writeAll(name, headers[name]);
    return this.#block.subarray(0, this.#length);
  }

  #writeSizes(): void {
    if (this.#leastBytes === undefined) return;
    if (this.#leastBytes < this.#table.bytesMax) this.#writeInteger(this.#leastBytes, 5, 0x20);
    this.#writeInteger(this.#table.bytesMax, 5, 0x20);
    this.#leastBytes = undefined;
  }

  #writeAll(name: string, value: OutgoingHttpHeaders[string]): void {
    if (value === undefined) return;
    if (Array.isArray(value)) for (const each of value) this.#write(name, each);
    else this.#write(name, String(value));
  }

  #write(name: string, value: string): void {
    const record = this.#recordOf(name);
    const known = record.values.get(value);
    if (known !== undefined) {
      record.hits++;
      // What was there before the tables began has a number of its own, below zero.
      this.#writeInteger(known < 0 ? -known : staticTable.length + this.#table.added - known, 7, 0x80);
      return;
    }
    const isKept = record.misses++ < record.hits + missesMax && !secrets.has(name);
    if (isKept) this.#writeLiteral(record.index, name, value, 6, 0x40);
    else this.#writeLiteral(record.index, name, value, 4, secrets.has(name) ? 0x10 : 0);
    const sequence = this.#table.added;
    if (isKept && this.#table.add([name, value])) record.values.set(value, sequence);
  }

  #writeLiteral(index: number, name: string, value: string, bits: number, flags: number): void {
    this.#writeInteger(index, bits, flags);
    if (index === 0) this.#writeText(name);
    this.#writeText(value);
  }

  #recordOf(name: string): NameRecord {
    let record = this.#names.get(name);
    if (record === undefined) {
      record = newRecord(name);
      // Callers make up names; those that come too late are never remembered.
      if (this.#names.size < namesMax) this.#names.set(name, record);
      else record.misses = missesMax;
    }
    return record;
  }

  #writeText(text: string): void {
    this.#writeInteger(text.length, 7, 0);
    this.#reserve(text.length);
    this.#length += this.#block.write(text, this.#length, "latin1");
  }

  #writeInteger(value: number, bits: number, flags: number): void {
    this.#reserve(8);
    const most = (1 << bits) - 1;
    if (value < most) {
      this.#block[this.#length++] = flags | value;
      return;
    }
    this.#block[this.#length++] = flags | most;
    let rest = value - most;
    for (; rest >= 0x80; rest >>>= 7) this.#block[this.#length++] = (rest & 0x7f) | 0x80;
    this.#block[this.#length++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#block.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#length + bytes));
    this.#block.copy(larger, 0, 0, this.#length);
    this.#block = larger;
  }
}

/** Throws REQUEST_INVALID for a header that HTTP cannot carry. */
export function checkSendable(headers: OutgoingHttpHeaders): void {
  for (const name in headers) {
    const value = headers[name];
    const isWrong = Array.isArray(value) ? value.some(isUnsendable) : isUnsendable(String(value));
    if (isWrong || isUnsendable(name)) {
      throw new ServiceError("REQUEST_INVALID", `the header ${name} has characters that HTTP cannot carry`);
    }
  }
}

function newRecord(name: string): NameRecord {
  const places = staticPlaces.get(name) ?? [];
  const values = new Map(places.map((place) => [staticTable[place]![1], -(place + 1)] as const));
  return { index: (places[0] ?? -1) + 1, values, hits: 0, misses: 0 };
}

/** The places of the static table by name. */
const staticPlaces = new Map<string, number[]>();
for (const [place, [name]] of staticTable.entries()) {
  staticPlaces.set(name, [...(staticPlaces.get(name) ?? []), place]);
}

function isPseudo(name: string): boolean {
  return name.charCodeAt(0) === colon;
}

/** HTTP has one byte for a character, and no ends of lines. */
function isUnsendable(text: string): boolean {
  return unsendable.test(text);
}

const colon = 0x3a;
const unsendable = /[\0\r\n]|[^\0-\xff]/;

/** New values of a name in a row, more than known ones, that are still remembered. */
const missesMax = 8;
/** Names that are remembered. */
const namesMax = 256;

/** What no table keeps, so that nobody can guess it by how short its block becomes. RFC 7541, section 7.1.3. */
const secrets: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization", "set-cookie"]);
