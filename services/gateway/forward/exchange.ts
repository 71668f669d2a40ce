import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { messageOf } from "../../../lib/errors.ts";
import { type CallEnd, endOfHeaders, endOfLoss } from "../call/call-end.ts";
import { withoutHopByHop } from "../call/crossing.ts";
import type { IncomingCall } from "../call/incoming-call.ts";
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
  readonly send: (stream: ClientHttp2Stream) => void;
  /** Adds to what the caller sees before the messages. */
  readonly own: OutgoingHttpHeaders;
  /** Whether the caller gets the headers before the first message is there. */
  readonly isEager: boolean;
}

/**
 * Carries a call to another server, and its messages back to the caller as they come, at the speed of the slower one. The end is left
 * to whoever asked. When nobody waits any longer it ends there too. Never rejects.
 */
export function exchange(
  connection: Connection,
  call: IncomingCall,
  { head, send, own, isEager }: ExchangeOptions,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    let headers: OutgoingHttpHeaders | undefined;
    let last: CallEnd | undefined;
    let failure: unknown;
    let isBegun = false;
    let isSettled = false;
    let stream: ClientHttp2Stream;
    try {
      stream = connection.call(head);
    } catch (thrown) {
      resolve({ end: endOfLoss(messageOf(thrown)), headers, isBegun });
      return;
    }
    const begin = () => {
      if (isBegun) return;
      isBegun = true;
      call.respond({ ...headers, ...own });
    };
    const settle = (end: CallEnd) => {
      if (isSettled) return;
      isSettled = true;
      call.whenOver(undefined);
      resolve({ end, headers: headers && { ...headers, ...own }, isBegun });
      // It may have ended before all was sent, or before it was over.
      if (!stream.closed && !(stream.writableEnded && stream.readableEnded)) stream.close(constants.NGHTTP2_CANCEL);
    };
    stream.on("response", (received: IncomingHttpHeaders, flags: number) => {
      if (flags & constants.NGHTTP2_FLAG_END_STREAM || String(received[":status"]) !== "200")
        last = endOfHeaders(received);
      else {
        headers = withoutHopByHop(received);
        if (isEager) begin();
      }
    });
    stream.on("data", (bytes: Buffer) => {
      if (isSettled) return;
      begin();
      if (!call.write(bytes, () => stream.resume())) stream.pause();
    });
    stream.on("trailers", (received: IncomingHttpHeaders) => {
      last = endOfHeaders(received);
    });
    stream.on("error", (thrown) => {
      failure = thrown;
    });
    stream.once("end", () => {
      if (last !== undefined) settle(last);
    });
    stream.once("close", () =>
      settle(last ?? endOfLoss(failure === undefined ? "the connection was lost" : messageOf(failure))),
    );
    call.whenOver(settle);
    if (call.over === undefined) send(stream);
  });
}
