import { ServiceError } from "../../../lib/errors.ts";
import { malformedCall } from "../../../lib/rpc/framing.ts";
import { MessageReader } from "../../../lib/rpc/message-reader.ts";
import type { HeldBytes } from "../admission/request-bytes.ts";
import type { BodyBounds } from "./body-bounds.ts";
import { CallOver } from "./call-end.ts";
import type { IncomingCall, RequestReader } from "./incoming-call.ts";

/** Whose message is read. */
export type MessageSource = Pick<IncomingCall, "read" | "stopReading" | "onOver">;

/**
 * The message of a call that has one, with the bytes before it, all of which `held` counts. Rejects with REQUEST_INVALID where there is
 * none or more than one, with REQUEST_TOO_LARGE, with REQUEST_TIMEOUT where it comes too slowly, with QUEUE_FULL where too much is
 * held, and with `CallOver`.
 */
export function onlyMessage(call: MessageSource, bounds: BodyBounds, held: Pick<HeldBytes, "add">): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let forget: () => unknown = () => undefined;
    const reading = new MessageReading(bounds, held, (outcome) => {
      call.stopReading();
      forget();
      if (outcome instanceof Buffer) resolve(outcome);
      else reject(outcome);
    });
    forget = call.onOver((why) => reading.end(new CallOver(why)));
    call.read(reading);
  });
}

/** A message on its way. It settles once, with the bytes or a fault; what comes after that is not looked at. */
class MessageReading implements RequestReader {
  readonly #bounds: BodyBounds;
  readonly #held: Pick<HeldBytes, "add">;
  readonly #settle: (outcome: unknown) => void;
  readonly #beganMs = performance.now();
  readonly #idle: NodeJS.Timeout;
  readonly #reader: MessageReader;
  #message: Buffer | undefined;
  #countedBytes = 0;
  #isSettled = false;

  constructor(bounds: BodyBounds, held: Pick<HeldBytes, "add">, settle: (outcome: unknown) => void) {
    this.#bounds = bounds;
    this.#held = held;
    this.#settle = settle;
    this.#reader = new MessageReader(bounds.bytesMax);
    this.#idle = setTimeout(() => this.end(this.#tooSlow()), bounds.idleMs);
  }

  onData(bytes: Buffer): void {
    if (this.#isSettled) return;
    this.#idle.refresh();
    try {
      if (performance.now() - this.#beganMs > this.#bounds.msMax) throw this.#tooSlow();
      if (this.#message !== undefined) throw moreThanOne();
      this.#reader.read(bytes, this.#take);
      if (this.#message !== undefined && this.#reader.bytes > 0) throw moreThanOne();
      this.#count();
    } catch (fault) {
      this.end(fault);
    }
  }

  onEnd(): void {
    const isCut = this.#reader.bytes > 0;
    this.end(this.#message ?? malformedCall(isCut ? "ends inside of its message" : "has no message"));
  }

  end(outcome: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#idle);
    this.#settle(outcome);
  }

  readonly #take = (frame: Buffer): void => {
    if (this.#message !== undefined) throw moreThanOne();
    this.#message = frame;
  };

  /** The memory that there is for it now. */
  #count(): void {
    const bytes = this.#message?.length ?? this.#reader.roomBytes;
    this.#held.add(bytes - this.#countedBytes);
    this.#countedBytes = bytes;
  }

  #tooSlow(): ServiceError {
    return tooSlow(this.#message?.length ?? this.#reader.bytes);
  }
}

function moreThanOne(): ServiceError {
  return malformedCall("has more than one message");
}

/** The fault of a message of which only so many bytes have come. */
export function tooSlow(length: number): ServiceError {
  return new ServiceError("REQUEST_TIMEOUT", `the message did not come in time; seen: ${length} bytes of it`);
}
