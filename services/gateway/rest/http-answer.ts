import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { Taking, type WaitingBytes } from "../../../lib/http2/waiting-bytes.ts";
import type { HeldAnswer } from "../held-answers.ts";

/** A reply by HTTP on its way to its caller, of which that counts as waiting which the system has not taken. */
export class HttpAnswer implements HeldAnswer {
  readonly #caller: Socket;
  readonly #response: ServerResponse;
  readonly #waiting: WaitingBytes;
  /** Of a body that was there as a whole. */
  #bodyBytes = 0;
  readonly taking = new Taking();

  /** Calls back once nothing of it waits any longer. */
  constructor(response: ServerResponse, caller: Socket, waiting: WaitingBytes, onEnd: () => void) {
    this.#caller = caller;
    this.#response = response;
    this.#waiting = waiting;
    const end = () => {
      response.off("finish", end);
      // A reply that waits for those before it on its connection does not hear of the end of that.
      caller.off("close", end);
      this.#count(-this.#bodyBytes);
      onEnd();
    };
    response.once("finish", end).on("drain", () => this.taking.take());
    caller.once("close", end);
  }

  get isWaiting(): boolean {
    return this.#bodyBytes > 0 || this.#response.writableNeedDrain;
  }

  /** A body as it is to be sent: a large one in pieces, by which one sees that it is taken. */
  bodyOf(bytes: Buffer): Buffer | Readable {
    this.#count(bytes.length);
    this.taking.wait();
    return bytes.length <= pieceBytes ? bytes : Readable.from(this.#pieces(bytes), { objectMode: false });
  }

  abandon(): void {
    this.#caller.destroy();
  }

  *#pieces(bytes: Buffer): Generator<Buffer> {
    for (let begin = 0; begin < bytes.length; begin += pieceBytes) {
      const piece = bytes.subarray(begin, begin + pieceBytes);
      if (begin > 0) this.taking.take();
      this.#count(-Math.min(piece.length, this.#bodyBytes));
      yield piece;
    }
  }

  #count(bytes: number): void {
    this.#bodyBytes += bytes;
    this.#waiting.add(bytes);
  }
}

const pieceBytes = 64 * 1024;
