import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { CallEnd } from "./call-end.ts";

/** Who gets what another server answers. */
export interface Receiver {
  /** Calls back once nobody waits for an answer any longer, at once where that is so already; the answer takes the listener back. */
  onOver(listener: (why: CallEnd) => void): () => void;
  /** Sends headers, once; messages may follow. */
  respond(headers: OutgoingHttpHeaders): void;
  /** Sends bytes of messages; answers whether more are welcome. Otherwise `onDrained` is called when they are. */
  write(bytes: Buffer, onDrained: () => void): boolean;
}

/** A call of a caller, however it came in: its headers, and the way back. */
export interface Call extends Receiver {
  /** "/package.Service/Method". */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** `performance.now()` when it arrived. */
  readonly arrivedMs: number;
  /** When its caller stops waiting, in milliseconds since 1970; Infinity where nobody has said. */
  readonly deadlineMs: number;
  /** Gives a caller that has not said how long it waits so many milliseconds from its arrival. */
  presetTimeout(ms: number): void;
  /** Why nobody waits for an answer any longer; undefined while somebody does. */
  readonly over: CallEnd | undefined;
  /** Ends the call, with the headers first where none were sent. */
  end(end: CallEnd, headers?: OutgoingHttpHeaders): void;
}
