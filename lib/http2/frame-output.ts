import type { Socket } from "node:net";
import { ConnectionFault, errorCode } from "./faults.ts";

/** The frames of a connection on their way to its socket: those of one turn of the event loop are written together. */
export class FrameOutput {
  readonly #socket: Socket;
  readonly #beforeWrite: () => void;
  /** Emptied rather than replaced: an array that is old when it is given up would make what it held old as well. */
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isScheduled = false;
  /** Answers that the other side has made necessary since it last took all there was. */
  #owed = 0;

  /** `beforeWrite` may push what is written last. */
  constructor(socket: Socket, beforeWrite: () => void) {
    this.#socket = socket;
    this.#beforeWrite = beforeWrite;
    socket.on("drain", () => this.schedule());
  }

  /** Bytes that the system has not taken yet. */
  get waitingBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** The bytes must not be changed any longer. */
  push(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    this.schedule();
  }

  /** As `push`, for what the other side can ask for as often as it likes. Throws a `ConnectionFault` where it never reads the answers. */
  pushOwed(bytes: Buffer): void {
    if (this.waitingBytes === 0) this.#owed = 0;
    if (++this.#owed > owedMax) {
      throw new ConnectionFault(
        errorCode.enhanceYourCalm,
        `the other side has not read ${owedMax} answers to its frames, and asks for more`,
      );
    }
    this.push(bytes);
  }

  /** Writes at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.flush);
  }

  /** Writes now. */
  readonly flush = (): void => {
    this.#isScheduled = false;
    this.#beforeWrite();
    const chunks = this.#chunks;
    if (chunks.length === 0) return;
    const bytes = this.#bytes;
    this.#bytes = 0;
    if (chunks.length === 1) {
      this.#socket.write(chunks.pop()!);
      return;
    }
    if (bytes <= joinedBytesMax) this.#socket.write(Buffer.concat(chunks, bytes));
    else this.#writeAll(chunks);
    chunks.length = 0;
  };

  #writeAll(chunks: readonly Buffer[]): void {
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.uncork();
  }
}

/** What is copied together rather than handed to the system in pieces. */
const joinedBytesMax = 32 * 1024;

const owedMax = 1000;
