import { ServiceError } from "../errors.ts";
import type { TakeStream } from "../http2/server-connection.ts";
import { refuse } from "./answer.ts";
import { RequestStream } from "./request-stream.ts";
import { ServedCall } from "./served-call.ts";
import type { ServedMethod } from "./served-method.ts";
import { ServerCall } from "./server-call.ts";

/** Answers the calls of a method by its handler, and logs them. */
export function answers(method: ServedMethod): TakeStream {
  const { definition, draining, log } = method;
  return (stream, headers) => {
    let context: ServerCall;
    try {
      context = new ServerCall(headers, draining, log);
    } catch (fault) {
      return refuse(stream, fault);
    }
    return definition.requestStream
      ? new StreamedCall(stream, method, context).begin()
      : new SingleCall(stream, method, context);
  };
}

/** A call with one request, which is handled once it is clear that there is no other one. */
class SingleCall extends ServedCall {
  #frame: Buffer | undefined;

  protected take(frame: Buffer): void {
    if (this.#frame !== undefined) throw oneMessageFault("more than one message");
    this.#frame = frame;
  }

  protected takeEnd(): void {
    let request: unknown;
    try {
      if (this.#frame === undefined) throw oneMessageFault("no message");
      request = this.requestOf(this.#frame);
    } catch (fault) {
      this.refuse(fault);
      return;
    }
    if (!(request instanceof Promise)) this.handle(request);
    else
      request.then(
        (expanded) => this.handle(expanded),
        (fault: unknown) => this.refuse(fault),
      );
  }
}

/** A call with many requests, which is handled from its beginning. */
class StreamedCall extends ServedCall {
  readonly #requests = new RequestStream(this.stream, (frame) => this.requestOf(frame));

  begin(): this {
    this.handle(this.#requests);
    return this;
  }

  protected take(frame: Buffer): void {
    this.#requests.push(frame);
  }

  protected takeEnd(): void {
    this.#requests.end();
  }

  protected override giveUp(reason: unknown): void {
    this.#requests.fail(reason);
  }
}

function oneMessageFault(seen: string): ServiceError {
  return new ServiceError("UNSUPPORTED", `the call has ${seen}; needed: one`);
}
