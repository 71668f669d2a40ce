import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { messageOf } from "../../../lib/errors.ts";
import { errorCode } from "../../../lib/http2/faults.ts";
import type { Stream } from "../../../lib/http2/stream.ts";
import type { Receiver } from "../call/call.ts";
import { type CallEnd, endOfHeaders, endOfLoss } from "../call/call-end.ts";
import { withoutHopByHop } from "../call/crossing.ts";
import type { Connection } from "./connection.ts";

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
  readonly race?: Race;
  /** The caller is about to see the first of it. */
  readonly onBegin?: () => void;
}

/** Several exchanges for one call: the first whose message is there answers it. */
export class Race {
  readonly #running = new Set<(lost: CallEnd) => void>();
  #isWon = false;

  /** Whether one has won, or nobody can any longer. */
  get isWon(): boolean {
    return this.#isWon;
  }

  /** Takes part until the answer is called; `lose` is called when another has won. */
  join(lose: (lost: CallEnd) => void): () => void {
    this.#running.add(lose);
    return () => this.#running.delete(lose);
  }

  /** The exchange of `lose` has won. */
  win(lose: (lost: CallEnd) => void): void {
    this.#running.delete(lose);
    this.end();
  }

  /** Ends all that are running. */
  end(): void {
    this.#isWon = true;
    for (const lose of [...this.#running]) lose(endOfLoss("another replica was faster"));
  }
}

/**
 * Carries a call to another server, and its messages back to the receiver as they come, at the speed of the slower one. The end is left
 * to whoever asked. When nobody waits any longer it ends there too. Never rejects.
 */
export function exchange(
  connection: Connection,
  receiver: Receiver,
  { head, send, own, isEager, race, onBegin, onDrain, onClose }: ExchangeOptions,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    let headers: OutgoingHttpHeaders | undefined;
    let isBegun = false;
    let isSettled = false;
    const begin = () => {
      if (isBegun) return;
      isBegun = true;
      onBegin?.();
      race?.win(settle);
      receiver.respond({ ...headers, ...own });
    };
    const settle = (end: CallEnd) => {
      if (isSettled) return;
      isSettled = true;
      forget?.();
      leave?.();
      resolve({ end, headers: headers && { ...headers, ...own }, isBegun });
      // It may have ended before all was sent, or before it was over.
      stream?.reset(errorCode.cancel);
    };
    const take = (received: IncomingHttpHeaders, isLast: boolean) => {
      if (isSettled) return;
      if (isLast || String(received[":status"]) !== "200") return settle(endOfHeaders(received));
      headers = withoutHopByHop(received);
      if (isEager) begin();
    };
    let stream: Stream | undefined;
    let forget: (() => void) | undefined;
    let leave: (() => void) | undefined;
    try {
      stream = connection.call(head, {
        onHeaders: take,
        onData: (bytes) => {
          if (isSettled) return;
          begin();
          if (!receiver.write(Buffer.from(bytes), () => stream!.resume())) stream!.pause();
        },
        onDrain: () => onDrain?.(),
        onClose: (failure) => {
          onClose?.();
          settle(endOfLoss(failure ?? "the connection was lost"));
        },
      });
    } catch (thrown) {
      resolve({ end: endOfLoss(messageOf(thrown)), headers, isBegun });
      return;
    }
    leave = race?.join(settle);
    forget = receiver.onOver(settle);
    if (!isSettled) send(stream);
  });
}
