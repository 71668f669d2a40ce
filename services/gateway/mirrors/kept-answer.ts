import type { OutgoingHttpHeaders } from "node:http2";
import { payloadOf, prefixBytes } from "../../../lib/rpc/framing.ts";
import type { Outputs } from "./compare-outputs.ts";
import type { CopyQueue } from "./copy-queue.ts";
import { outputsOf } from "./outputs-of.ts";

/** What is kept of an answer to compare it with another one: all of it, or nothing where there is no room for it. */
export class KeptAnswer {
  readonly #room: CopyQueue;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #encoding: unknown;
  #isDropped = false;

  constructor(room: CopyQueue) {
    this.#room = room;
  }

  /** Whether there was no room for it. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  begin(headers: OutgoingHttpHeaders): void {
    this.#encoding = headers["grpc-encoding"];
  }

  add(bytes: Buffer): void {
    if (this.#isDropped) return;
    if (this.#bytes + bytes.length > answerBytesMax || !this.#room.hold(bytes.length)) {
      this.drop();
      return;
    }
    this.#bytes += bytes.length;
    this.#chunks.push(bytes);
  }

  /** Undefined where it was dropped, or is no answer of a node. */
  async outputs(): Promise<Outputs | undefined> {
    const frame = Buffer.concat(this.#chunks);
    if (this.#isDropped || frame.length < prefixBytes) return undefined;
    try {
      return outputsOf(await payloadOf(frame, this.#encoding, answerBytesMax, unbounded));
    } catch {
      // It cannot be decompressed, or only to more than is looked at.
      return undefined;
    }
  }

  /** Gives back the room; may be called again. */
  drop(): void {
    this.#isDropped = true;
    this.#room.release(this.#bytes);
    this.#bytes = 0;
    this.#chunks = [];
  }
}

/** One answer is expanded at a time, as long as it is compared. */
const unbounded = { add: () => undefined };

/** Larger answers are not compared. */
const answerBytesMax = 8 * 1024 ** 2;
