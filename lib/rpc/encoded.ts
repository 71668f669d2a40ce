import { framed } from "./framing.ts";

/**
 * The bytes of a message, in place of the message: they are sent as they are. For replies that are kept encoded because they
 * are asked for often, and for large ones that `BytesRoom` makes without a copy.
 *
 * The bytes must not change afterwards.
 */
export class Encoded<Message> {
  readonly bytes: Buffer;
  /** Never there; keeps the bytes of one message from passing for those of another. */
  declare readonly message?: Message;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** A message, or its bytes. */
export type MaybeEncoded<Message> = Message | Encoded<Message>;

/**
 * The bytes of messages of a stream with what gRPC puts before each: they are written at once and as they are. For what many callers are
 * sent, so that it is framed and copied once for all of them.
 *
 * The bytes must not change afterwards.
 */
export class Framed<Message> {
  readonly bytes: Buffer;
  /** Never there; keeps the bytes of one message from passing for those of another. */
  declare readonly messages?: readonly Message[];

  private constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** One message. */
  static of<Message>({ bytes }: Encoded<Message>): Framed<Message> {
    return new Framed(framed(bytes));
  }

  /** Messages that are framed, one behind the other. */
  static joined<Message>(frames: readonly Buffer[]): Framed<Message> {
    return new Framed(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  }
}

/** What `serialize` makes of messages; bytes that are there already pass. */
export function serializer<Message>(
  serialize: (message: Message) => Buffer,
): (message: MaybeEncoded<Message>) => Buffer {
  return (message) => (message instanceof Encoded ? message.bytes : serialize(message));
}

/**
 * Room for the content of a message that is nothing but one field of bytes, such as a chunk of a file: read the content into
 * `content`, then take the message. No byte is copied for it.
 */
export class BytesRoom<Message> {
  readonly #room: Buffer;
  readonly #field: number;

  /** `field` is the field's number in the contract, 1 to 15. */
  constructor(field: number, bytesMax: number) {
    this.#room = Buffer.allocUnsafe(headBytesMax + bytesMax);
    this.#field = field;
  }

  /** Where the content goes. */
  get content(): Buffer {
    return this.#room.subarray(headBytesMax);
  }

  /** The message with the first `length` bytes of the content. The room is the message's from here on. */
  message(length: number): Encoded<Message> {
    const lengthBytes = varintBytes(length);
    const begin = headBytesMax - lengthBytes - 1;
    // The wire type of bytes is 2.
    this.#room[begin] = (this.#field << 3) | 2;
    writeVarint(this.#room, begin + 1, length);
    return new Encoded(this.#room.subarray(begin, headBytesMax + length));
  }
}

/** A tag of one byte and a length of at most five. */
const headBytesMax = 6;

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function writeVarint(target: Buffer, begin: number, value: number): void {
  let position = begin;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) target[position++] = (rest % 128) | 128;
  target[position] = rest;
}
