import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { messageOf } from "../../../lib/errors.ts";
import { errorCode } from "../../../lib/http2/faults.ts";
import type { Stream, StreamListener } from "../../../lib/http2/stream.ts";
import type { Receiver } from "../call/call.ts";
import { type CallEnd, endOfHeaders, endOfLoss } from "../call/call-end.ts";
import { withoutHopByHop } from "../call/crossing.ts";
import type { Connection } from "./connection.ts";
import type { Race, Runner } from "./race.ts";

/** How an exchange with another server ended. */
export interface Exchanged {
  readonly end: CallEnd;
  /** What came before the messages, as it crosses; undefined where there was nothing but an end. */
  readonly headers: OutgoingHttpHeaders | undefined;
  /** Whether the caller has seen any of it. */
  readonly isBegun: boolean;
}

/** What an exchange is told. */
export interface ExchangeOptions {
  readonly head: OutgoingHttpHeaders;
  /** Sends what the other side is to get, and ends the stream when that is all. */
  readonly send: (stream: Stream) => void;
  /** The other side has room for more, after there was none. */
  readonly onDrain?: () => void;
  /** Nothing is sent any longer. */
  readonly onClose?: () => void;
  /** Adds to what the caller sees before the messages. */
  readonly own: OutgoingHttpHeaders;
  /** Whether the caller gets the headers before the first message is there. */
  readonly isEager: boolean;
  /** Ends the exchange from outside, as long as the caller has seen nothing of it. */
  readonly race?: Race | undefined;
  /** The caller is about to see the first of it. */
  readonly onBegin?: () => void;
}

/**
 * Carries a call to another server, and its messages back to the receiver as they come, at the speed of the slower one. The end is left
 * to whoever asked. When nobody waits any longer it ends there too. Never rejects.
 */
export function exchange(connection: Connection, receiver: Receiver, options: ExchangeOptions): Promise<Exchanged> {
  return new Promise((resolve) => new Exchange(receiver, options, resolve).begin(connection));
}

class Exchange implements StreamListener, Runner {
  readonly #receiver: Receiver;
  readonly #options: ExchangeOptions;
  readonly #resolve: (exchanged: Exchanged) => void;
  #stream: Stream | undefined;
  #forget: (() => void) | undefined;
  /** As the caller sees them. */
  #headers: OutgoingHttpHeaders | undefined;
  #isBegun = false;
  #isSettled = false;

  constructor(receiver: Receiver, options: ExchangeOptions, resolve: (exchanged: Exchanged) => void) {
    this.#receiver = receiver;
    this.#options = options;
    this.#resolve = resolve;
  }

  begin(connection: Connection): void {
    const { head, race, send } = this.#options;
    try {
      this.#stream = connection.call(head, this);
    } catch (thrown) {
      this.settle(endOfLoss(messageOf(thrown)));
      return;
    }
    if (!this.#isSettled) this.#forget = this.#receiver.onOver((why) => this.settle(why));
    if (this.#isSettled) return;
    race?.join(this);
    send(this.#stream);
  }

  /** What comes after the first end is not looked at. */
  settle(end: CallEnd): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#forget?.();
    this.#options.race?.leave(this);
    this.#resolve({ end, headers: this.#headers, isBegun: this.#isBegun });
    // It may have ended before all was sent, or before it was over.
    this.#stream?.reset(errorCode.cancel);
  }

  onHeaders(received: IncomingHttpHeaders, isLast: boolean): void {
    if (this.#isSettled) return;
    if (isLast || String(received[":status"]) !== "200") {
      this.settle(endOfHeaders(received));
      return;
    }
    this.#headers = Object.assign(withoutHopByHop(received), this.#options.own);
    if (this.#options.isEager) this.#respond();
  }

  onData(bytes: Buffer, isOwn: boolean): void {
    if (this.#isSettled) return;
    this.#respond();
    if (!this.#receiver.write(isOwn ? bytes : Buffer.from(bytes), this.#resume)) this.#stream?.pause();
  }

  onDrain(): void {
    this.#options.onDrain?.();
  }

  onClose(failure: string | undefined): void {
    this.#options.onClose?.();
    if (!this.#isSettled) this.settle(endOfLoss(failure ?? "the connection was lost"));
  }

  #respond(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#options.onBegin?.();
    this.#options.race?.win(this);
    this.#receiver.respond(this.#headers ?? {});
  }

  readonly #resume = (): void => this.#stream?.resume();
}
