import { createGunzip, createInflate } from "node:zlib";
import { ServiceError } from "../errors.ts";

/** Counts the bytes that somebody holds. */
export interface ByteCount {
  /** Counts more bytes in; throws where there is no room for them. */
  readonly add: (bytes: number) => void;
}

/** The encodings of messages and bodies that can be expanded. */
export type Encoding = keyof typeof expanders;

const expanders = { gzip: createGunzip, deflate: createInflate };

/** Their names. */
export const encodings = Object.keys(expanders) as readonly Encoding[];

export function isEncoding(name: unknown): name is Encoding {
  return encodings.includes(name as Encoding);
}

/**
 * Expands bytes, all of which `held` counts as they come out: few bytes may become very many. Rejects with what `held` throws, with
 * REQUEST_TOO_LARGE where they become more than so many, and with zlib's own error where they cannot be expanded.
 */
export function expanded(bytes: Buffer, encoding: Encoding, bytesMax: number, held: ByteCount): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = expanders[encoding]();
    const chunks: Buffer[] = [];
    let length = 0;
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      try {
        if (length > bytesMax) throw tooLarge(bytesMax);
        held.add(chunk.length);
      } catch (refusal) {
        stream.destroy();
        reject(refusal);
      }
    };
    stream.on("data", take).on("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)));
    stream.on("error", reject).end(bytes);
  });
}

function tooLarge(bytesMax: number): ServiceError {
  return new ServiceError(
    "REQUEST_TOO_LARGE",
    `what was compressed has more than ${bytesMax} bytes; needed: at most so many`,
  );
}
