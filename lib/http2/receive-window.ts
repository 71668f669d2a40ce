import { ConnectionFault, errorCode } from "./faults.ts";

/** What the other side may send on all streams of a connection, and what of it is used. Source: RFC 9113, section 5.2. */
export class ReceiveWindow {
  readonly #bytesMax: number;
  readonly #widen: (bytes: number) => void;
  #leftBytes: number;
  #takenBytes = 0;

  /** `widen` lets the other side send so much more. */
  constructor(bytesMax: number, widen: (bytes: number) => void) {
    this.#bytesMax = bytesMax;
    this.#widen = widen;
    this.#leftBytes = bytesMax;
  }

  /** Throws a `ConnectionFault` where there was no room. */
  noteReceived(bytes: number): void {
    this.#leftBytes -= bytes;
    if (this.#leftBytes >= 0) return;
    throw new ConnectionFault(errorCode.flowControl, "more data came than the connection has room for");
  }

  /** So much of it has gone on. Gives it back where half of the window is used. */
  noteTaken(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#takenBytes < this.#bytesMax / 2) return;
    this.#leftBytes += this.#takenBytes;
    this.#widen(this.#takenBytes);
    this.#takenBytes = 0;
  }
}
