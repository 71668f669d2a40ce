import type { ServerDuplexStream, ServerUnaryCall } from "@grpc/grpc-js";
import { ServiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type CallContext, deadlineMsOf, requestIdKey, requestIdOf } from "./call-context.ts";

/** A call as grpc-js hands it to a handler of any form. */
export type AnyCall = ServerUnaryCall<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

/**
 * What a handler knows of a call. Its signal, log and deadline are made when they are first asked for, because most of the
 * many short calls need none of them.
 */
export class ServerCall implements CallContext {
  readonly requestId: string;
  readonly draining: AbortSignal;
  readonly #call: AnyCall;
  readonly #serverLog: Log;
  #log: Log | undefined;
  #cancelling: AbortController | undefined;
  #answered = false;

  /** Writes the request id into the call's metadata. */
  constructor(call: AnyCall, draining: AbortSignal, log: Log) {
    this.requestId = requestIdOf(call.metadata);
    call.metadata.set(requestIdKey, this.requestId);
    this.draining = draining;
    this.#call = call;
    this.#serverLog = log;
  }

  get metadata() {
    return this.#call.metadata;
  }

  get deadlineMs(): number {
    return deadlineMsOf(this.#call.getDeadline());
  }

  get log(): Log {
    this.#log ??= this.#serverLog.child({ requestId: this.requestId });
    return this.#log;
  }

  get signal(): AbortSignal {
    if (this.#cancelling === undefined) {
      this.#cancelling = new AbortController();
      if (this.#call.cancelled && !this.#answered) this.#cancel();
      else this.#call.once("cancelled", this.#cancel);
    }
    return this.#cancelling.signal;
  }

  /**
   * Says that the call is being answered, and gives the fault if its caller gave up before. grpc-js reports every call as
   * cancelled soon after its answer; the signal does not repeat that.
   */
  answered(): ServiceError | undefined {
    this.#answered = true;
    this.#call.off("cancelled", this.#cancel);
    return this.#call.cancelled ? cancelledFault() : undefined;
  }

  readonly #cancel = () => this.#cancelling?.abort(cancelledFault());
}

function cancelledFault(): ServiceError {
  return new ServiceError("CANCELLED", "the caller cancelled the call");
}
