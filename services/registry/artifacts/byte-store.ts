import { randomBytes } from "node:crypto";

/** Where the bytes of artifacts lie: a folder, or a bucket. */
export interface ByteStore {
  /** Makes it ready; needs no answer of a server. */
  start(): Promise<void>;
  /**
   * Stores the bytes of a local file under a location that nothing was stored at before. Settles once they are durable. The
   * file may stay or go. SERVICE_UNAVAILABLE, or the error of a full disk; there is nothing at the location then.
   */
  put(path: string, location: string, signal: AbortSignal): Promise<void>;
  /** How many bytes there are; undefined where there are none. */
  sizeOf(location: string): Promise<number | undefined>;
  /** The bytes from an offset to the end, in rooms of the reader. Throws `BytesGone`, SERVICE_UNAVAILABLE. */
  read(location: string, offset: number, signal: AbortSignal, room: Room): AsyncGenerator<Buffer>;
  /** Makes the bytes appear as a local file without copying them; false where that is impossible. Throws `BytesGone`. */
  link(location: string, path: string): Promise<boolean>;
  /** Everything that is stored, in pages. What has no location for its name belongs to others and is left out. */
  list(): AsyncGenerator<readonly StoredBytes[]>;
  /** Nothing happens where there is nothing. */
  remove(location: string): Promise<void>;
  /** Gives back what a dead process began to write before a time, in milliseconds since 1970; answers how much that was. */
  removeUnfinished(beforeMs: number): Promise<number>;
  close(): void;
}

/** What lies at a location. */
export interface StoredBytes {
  readonly location: string;
  /** The digest that the location is for. */
  readonly sha256: string;
  /** When it was written, or began to be, in milliseconds since 1970. */
  readonly timeMs: number;
}

/** There is nothing at a location. */
export class BytesGone extends Error {
  override readonly name = "BytesGone";
}

/** A location for the bytes of a digest. None is used twice, so that whoever removes an old one cannot hit anything new. */
export function newLocation(sha256: string): string {
  return `${sha256.slice(0, 2)}/${sha256}.${randomBytes(8).toString("hex")}`;
}

/** The digest that a location is for; undefined for any other text. */
export function sha256Of(location: string): string | undefined {
  const [, folder, sha256] = /^([0-9a-f]{2})\/([0-9a-f]{64})\.[0-9a-f]{16}$/.exec(location) ?? [];
  return sha256?.slice(0, 2) === folder ? sha256 : undefined;
}

/**
 * Gives a reader's room for the next chunk, `chunkBytes` long; the chunk is its beginning. It is asked for once per chunk, when
 * the reader has had the chunk before.
 */
export type Room = () => Buffer;

/** How many bytes a reader gets at once, at most. */
export const chunkBytes = 256 * 1024;

/** Room for a reader that keeps no chunk. */
export function oneRoom(): Room {
  const room = Buffer.allocUnsafeSlow(chunkBytes);
  return () => room;
}

/** Most entries of a page of a listing. */
export const listedMax = 1000;
