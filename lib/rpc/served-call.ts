import { ServiceError } from "../errors.ts";
import type { Stream, StreamListener } from "../http2/stream.ts";
import { Answer } from "./answer.ts";
import { logCall } from "./call-log.ts";
import { Framed } from "./encoded.ts";
import { payloadOf } from "./framing.ts";
import { MessageReader } from "./message-reader.ts";
import type { ServedMethod } from "./served-method.ts";
import type { ServerCall } from "./server-call.ts";

/**
 * A call of a method: hears its caller, and answers by the handler, what that throws being the status. A call that its caller gives up,
 * whose time is over, or that breaks the rules of gRPC is over at once, and its handler is told so.
 */
export abstract class ServedCall implements StreamListener {
  protected readonly stream: Stream;
  readonly #method: ServedMethod;
  readonly #context: ServerCall;
  readonly #answer: Answer;
  readonly #reader: MessageReader;
  readonly #beganMs = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #isHandled = false;
  #whenWelcome: (() => void) | undefined;

  constructor(stream: Stream, method: ServedMethod, context: ServerCall) {
    this.stream = stream;
    this.#method = method;
    this.#context = context;
    this.#answer = new Answer(stream, method.messageBytesMax);
    this.#reader = new MessageReader(method.messageBytesMax);
    if (context.deadlineMs === Infinity) return;
    const leftMs = context.deadlineMs - Date.now();
    if (leftMs <= timerMsMax) this.#timer = setTimeout(() => this.#expire(), leftMs);
  }

  /** A message, with the bytes before it. */
  protected abstract take(frame: Buffer): void;
  /** There are no more messages. */
  protected abstract takeEnd(): void;
  /** The call is over before its handler is done. */
  protected giveUp?(reason: unknown): void;

  /** Trailers of a request mean nothing. */
  onHeaders(): void {}

  onData(bytes: Buffer): void {
    if (this.#answer.isOver) return;
    try {
      this.#reader.read(bytes, (frame) => this.take(frame));
    } catch (fault) {
      this.refuse(fault);
    }
  }

  onEnd(): void {
    if (this.#answer.isOver) return;
    try {
      this.#reader.end();
    } catch (fault) {
      this.refuse(fault);
      return;
    }
    this.takeEnd();
  }

  onDrain(): void {
    this.#whenWelcome?.();
  }

  onClose(): void {
    if (!this.#context.cancellation.isOver) this.#giveUp(cancelledFault());
  }

  /** Reads a message. Throws, or rejects with, REQUEST_INVALID, REQUEST_TOO_LARGE, and UNSUPPORTED. */
  protected requestOf(frame: Buffer): unknown {
    const payload = payloadOf(frame, this.#context.headers["grpc-encoding"], this.#method.messageBytesMax, uncounted);
    return payload instanceof Promise ? payload.then((bytes) => this.#decoded(bytes)) : this.#decoded(payload);
  }

  #decoded(bytes: Buffer): unknown {
    try {
      return this.#method.definition.requestDeserialize(bytes);
    } catch (cause) {
      const message = "the request is not a message of the method's type: malformed protobuf";
      throw new ServiceError("REQUEST_INVALID", message, { cause });
    }
  }

  /** What the caller has sent is no call of the method, whatever its handler will say. */
  protected refuse(thrown: unknown): void {
    this.#endNow(thrown, thrown);
  }

  /** Answers the call, given its request, or its requests. A handler that answers without a wait is not waited for. */
  protected handle(input: unknown): void {
    if (this.#context.cancellation.aborted) return;
    this.#isHandled = true;
    if (this.#method.definition.responseStream) void this.#sendAll(input);
    else this.#sendOne(input);
  }

  #sendOne(input: unknown): void {
    let reply: unknown;
    try {
      reply = this.#method.handler(input as never, this.#context);
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    if (!(reply instanceof Promise)) this.#reply(reply);
    else
      void reply.then(
        (settled) => this.#reply(settled),
        (thrown: unknown) => this.#fail(thrown),
      );
  }

  #reply(reply: unknown): void {
    try {
      if (!this.#context.cancellation.aborted) this.#answer.send(this.#method.definition.responseSerialize(reply));
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#succeed();
  }

  async #sendAll(input: unknown): Promise<void> {
    const { cancellation } = this.#context;
    try {
      for await (const message of this.#method.handler(input as never, this.#context) as AsyncIterable<unknown>) {
        if (cancellation.aborted) break;
        if (!this.#send(message)) await this.#untilWelcome();
      }
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#succeed();
  }

  #send(message: unknown): boolean {
    if (message instanceof Framed) return this.#answer.sendFramed(message.bytes);
    return this.#answer.send(this.#method.definition.responseSerialize(message));
  }

  /** Settles when more messages are welcome, or the call is over. */
  #untilWelcome(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenWelcome = resolve;
    });
  }

  #succeed(): void {
    if (this.#settle()) this.#answer.end();
    this.#log(this.#context.cancellation.reason);
  }

  #fail(thrown: unknown): void {
    if (this.#settle()) this.#answer.fail(thrown);
    this.#log(this.#context.cancellation.reason ?? thrown);
  }

  /** Of the call nothing is awaited any longer; answers whether somebody waits for its answer. */
  #settle(): boolean {
    const { cancellation } = this.#context;
    clearTimeout(this.#timer);
    cancellation.end();
    return !cancellation.aborted;
  }

  #expire(): void {
    this.#endNow(new ServiceError("DEADLINE_EXCEEDED", "Deadline exceeded"), cancelledFault());
  }

  /** Says so to the caller, and why to the handler. */
  #endNow(thrown: unknown, reason: unknown): void {
    if (this.#answer.isOver) return;
    this.#answer.fail(thrown);
    if (!this.#isHandled) this.#log(thrown);
    this.#giveUp(reason);
  }

  #giveUp(reason: unknown): void {
    clearTimeout(this.#timer);
    this.#context.cancellation.abort(reason as object);
    this.giveUp?.(reason);
    this.#whenWelcome?.();
  }

  #log(thrown: unknown): void {
    logCall(this.#method, this.#context, this.#beganMs, thrown);
  }
}

function cancelledFault(): ServiceError {
  return new ServiceError("CANCELLED", "the caller cancelled the call");
}

/** A call has one message at a time, of which the method says how large it may be. */
const uncounted = { add: () => undefined };

/** Timers for longer would go off at once. */
const timerMsMax = 2 ** 31 - 1;
