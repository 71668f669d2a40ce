import { systemClock } from "../clock.ts";
import { TurnShare } from "./turn-share.ts";

/** What a socket hands over, on its way to its connection: in slices, as the turns of the event loop have time for it. */
export class Intake {
  readonly #take: (bytes: Buffer) => void;
  readonly #socket: { resume(): void };
  readonly #share: TurnShare;
  #held: Buffer | undefined;

  /** `take` gets the slices in their order, and may not keep them. */
  constructor(take: (bytes: Buffer) => void, socket: { resume(): void }, share = ofThisThread) {
    this.#take = take;
    this.#socket = socket;
    this.#share = share;
  }

  /** Answers whether all was taken. Else the bytes must stay as they are, and no others come, until the socket is resumed. */
  push(bytes: Buffer): boolean {
    let begin = 0;
    while (begin < bytes.length && !this.#share.isUsedUp) {
      this.#take(bytes.subarray(begin, begin + sliceBytes));
      begin += sliceBytes;
    }
    if (begin >= bytes.length) return true;
    this.#held = bytes.subarray(begin);
    this.#share.awaitTurn(this.#goOn);
    return false;
  }

  /** Hands on at once what is held: nothing comes after it. */
  finish(): void {
    if (this.#held !== undefined) this.#take(this.#held);
    this.#held = undefined;
  }

  readonly #goOn = (): void => {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && this.push(held)) this.#socket.resume();
  };
}

const ofThisThread = new TurnShare(systemClock.monotonicMs);

/** Some 200 of the smallest calls, which take 2 to 3 ms. */
export const sliceBytes = 16 * 1024;
