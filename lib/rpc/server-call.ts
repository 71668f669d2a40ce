import type { IncomingHttpHeaders } from "node:http2";
import type { Log } from "../log.ts";
import { type CallContext, requestIdKey, requestIdOfText } from "./call-context.ts";
import { CallCancellation } from "./cancellation.ts";
import { timeoutMsOf } from "./timeout.ts";

/** What a handler knows of a call. Most of it is made when it is first asked for: most of the many short calls need none. */
export class ServerCall implements CallContext {
  readonly headers: IncomingHttpHeaders;
  readonly draining: AbortSignal;
  readonly deadlineMs: number;
  readonly cancellation = new CallCancellation();
  readonly #serverLog: Log;
  #requestId: string | undefined;
  #log: Log | undefined;
  #controller: AbortController | undefined;

  /** Throws REQUEST_INVALID for a deadline that is none. */
  constructor(headers: IncomingHttpHeaders, draining: AbortSignal, log: Log) {
    this.headers = headers;
    this.draining = draining;
    this.#serverLog = log;
    const timeout = headers["grpc-timeout"];
    this.deadlineMs = timeout === undefined ? Infinity : Date.now() + timeoutMsOf(timeout);
  }

  get requestId(): string {
    this.#requestId ??= requestIdOfText(this.headers[requestIdKey]);
    return this.#requestId;
  }

  get log(): Log {
    this.#log ??= this.#serverLog.child({ requestId: this.requestId });
    return this.#log;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      const { cancellation } = this;
      const abort = () => controller.abort(cancellation.reason);
      if (cancellation.aborted) abort();
      else cancellation.addEventListener("abort", abort);
    }
    return this.#controller.signal;
  }
}
