import type { IncomingHttpHeaders } from "node:http2";
import { ConnectionFault, errorCode } from "./faults.ts";
import { frameFlag } from "./frames.ts";
import { HeaderDecoder } from "./header-decoder.ts";
import { fieldBytes } from "./header-table.ts";

/** Headers that have come whole. */
export interface HeaderBlock {
  readonly stream: number;
  /** Whether nothing more comes on the stream. */
  readonly isLast: boolean;
  /** Undefined where they are more than may be, or not what headers may be. */
  readonly headers: IncomingHttpHeaders | undefined;
}

/** Joins the frames of header blocks, and reads them. What is not whole has a bound, in bytes and in frames. */
export class HeaderBlocks {
  readonly #decoder = new HeaderDecoder();
  readonly #bytesMax: number;
  #open: { readonly stream: number; readonly isLast: boolean; readonly chunks: Buffer[]; bytes: number } | undefined;

  /** Of all headers of a block, as they count in tables. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The stream whose block is not whole, so that no other frame may come; undefined where there is none. */
  get openStream(): number | undefined {
    return this.#open?.stream;
  }

  /** A HEADERS frame, without its padding and priority. Answers the block if it is whole; throws a `ConnectionFault`. */
  begin(stream: number, flags: number, fragment: Buffer): HeaderBlock | undefined {
    const isLast = (flags & frameFlag.endStream) !== 0;
    if (flags & frameFlag.endHeaders) return { stream, isLast, headers: this.#read(fragment) };
    this.#open = { stream, isLast, chunks: [Buffer.from(fragment)], bytes: fragment.length };
    return undefined;
  }

  /** A CONTINUATION frame of the open block; as `begin`. */
  continue(flags: number, fragment: Buffer): HeaderBlock | undefined {
    const open = this.#open!;
    open.bytes += fragment.length;
    open.chunks.push(Buffer.from(fragment));
    if (open.bytes > this.#bytesMax || open.chunks.length > framesMax) {
      throw new ConnectionFault(
        errorCode.enhanceYourCalm,
        `a header block has ${open.bytes} bytes in ${open.chunks.length} frames; needed: at most ${this.#bytesMax} in ${framesMax}`,
      );
    }
    if (!(flags & frameFlag.endHeaders)) return undefined;
    this.#open = undefined;
    return { stream: open.stream, isLast: open.isLast, headers: this.#read(Buffer.concat(open.chunks)) };
  }

  /** Reads all of it whatever comes, since later blocks may refer to it. */
  #read(block: Buffer): IncomingHttpHeaders | undefined {
    const headers = new Headers();
    let bytes = 0;
    let isWrong = false;
    let mayBePseudo = true;
    this.#decoder.decode(block, (name, value) => {
      bytes += fieldBytes(name, value);
      const isPseudo = name.charCodeAt(0) === colon;
      isWrong ||= bytes > this.#bytesMax || (isPseudo ? !mayBePseudo || name in headers : ofConnection.has(name));
      mayBePseudo = isPseudo;
      if (!isWrong) add(headers, name, value);
    });
    return isWrong ? undefined : headers;
  }
}

/** An object that inherits nothing, whatever names it is given; one without a prototype of its own would be a slow hash table. */
const Headers = function Headers() {} as unknown as new () => Record<string, string | string[]>;
Headers.prototype = Object.create(null);

/** As Node gives them: what comes several times is joined, cookies by their own sign, and set-cookie is a list. */
function add(headers: Record<string, string | string[]>, name: string, value: string): void {
  const before = headers[name];
  if (name === "set-cookie") headers[name] = [...(before ?? []), value];
  else if (before === undefined) headers[name] = value;
  else headers[name] = `${before}${name === "cookie" ? "; " : ", "}${value}`;
}

const colon = 0x3a;

/** What means nothing in HTTP/2. RFC 9113, section 8.2.2. */
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** 16 KiB each. */
const framesMax = 8;
