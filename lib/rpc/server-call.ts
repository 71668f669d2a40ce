import type { Metadata, ServerDuplexStream, ServerUnaryCall } from "@grpc/grpc-js";
import { ServiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type CallContext, deadlineMsOf, requestIdKey, requestIdOf } from "./call-context.ts";
import { CallCancellation, type Cancellation } from "./cancellation.ts";

/** A call as grpc-js hands it to a handler of any form. */
export type AnyCall = ServerUnaryCall<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

/** What a handler knows of a call. All of it is made when it is first asked for: most of the many short calls need none. */
export class ServerCall implements CallContext {
  readonly draining: AbortSignal;
  readonly #call: AnyCall;
  readonly #serverLog: Log;
  #requestId: string | undefined;
  #log: Log | undefined;
  #cancelling: { readonly controller: AbortController; readonly cancel: () => void } | undefined;
  #cancellation: CallCancellation | undefined;
  #answered = false;

  constructor(call: AnyCall, draining: AbortSignal, log: Log) {
    this.draining = draining;
    this.#call = call;
    this.#serverLog = log;
  }

  /** Is in the call's metadata too, once it was asked for. */
  get requestId(): string {
    if (this.#requestId === undefined) {
      this.#requestId = requestIdOf(this.#call.metadata);
      this.#call.metadata.set(requestIdKey, this.#requestId);
    }
    return this.#requestId;
  }

  get metadata(): Metadata {
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
      const controller = new AbortController();
      const cancel = () => controller.abort(cancelledFault());
      this.#cancelling = { controller, cancel };
      if (this.#call.cancelled && !this.#answered) cancel();
      else this.#call.once("cancelled", cancel);
    }
    return this.#cancelling.controller.signal;
  }

  get cancellation(): Cancellation {
    this.#cancellation ??= new CallCancellation(this.#call, cancelledFault);
    return this.#cancellation;
  }

  /**
   * Says that the call is being answered, and gives the fault if its caller gave up before. grpc-js reports every call as
   * cancelled soon after its answer; the signal does not repeat that.
   */
  answered(): ServiceError | undefined {
    this.#answered = true;
    this.#cancellation?.end();
    if (this.#cancelling !== undefined) this.#call.off("cancelled", this.#cancelling.cancel);
    return this.#call.cancelled ? cancelledFault() : undefined;
  }
}

function cancelledFault(): ServiceError {
  return new ServiceError("CANCELLED", "the caller cancelled the call");
}
