import { ServiceError } from "../../../lib/errors.ts";
import { lengthChecked, malformedCall, prefixBytes } from "../../../lib/rpc/framing.ts";
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
  /** As much of the message as there is room for, of which so many bytes are there. */
  #bytes: Buffer = nothing;
  #length = 0;
  /** With the bytes before it; 0 until these are there. */
  #neededLength = 0;
  #isSettled = false;

  constructor(bounds: BodyBounds, held: Pick<HeldBytes, "add">, settle: (outcome: unknown) => void) {
    this.#bounds = bounds;
    this.#held = held;
    this.#settle = settle;
    this.#idle = setTimeout(() => this.end(tooSlow(this.#length)), bounds.idleMs);
  }

  onData(bytes: Buffer): void {
    if (this.#isSettled) return;
    this.#idle.refresh();
    try {
      if (performance.now() - this.#beganMs > this.#bounds.msMax) throw tooSlow(this.#length);
      this.#push(bytes);
    } catch (fault) {
      this.end(fault);
    }
  }

  onEnd(): void {
    if (this.#length > 0 && this.#length === this.#neededLength) this.end(this.#bytes);
    else this.end(malformedCall(this.#length === 0 ? "has no message" : "ends inside of its message"));
  }

  end(outcome: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#idle);
    this.#settle(outcome);
  }

  #push(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) this.#widen(length);
    bytes.copy(this.#bytes, this.#length);
    this.#length = length;
    if (this.#neededLength === 0 && length >= prefixBytes)
      this.#neededLength = prefixBytes + lengthChecked(this.#bytes, this.#bounds.bytesMax);
    if (this.#neededLength > 0 && length > this.#neededLength) throw malformedCall("has more than one message");
  }

  /** Makes room for so much, and of what the message only claims for as much as what has come makes likely. */
  #widen(length: number): void {
    const roomBytes = Math.max(length, Math.min(roomFactor(this.#length) * this.#length, this.#neededLength));
    this.#held.add(roomBytes - this.#bytes.length);
    const wider = Buffer.allocUnsafe(roomBytes);
    this.#bytes.copy(wider, 0, 0, this.#length);
    this.#bytes = wider;
  }
}

/** The fault of a message of which only so many bytes have come. */
export function tooSlow(length: number): ServiceError {
  return new ServiceError("REQUEST_TIMEOUT", `the message did not come in time; seen: ${length} bytes of it`);
}

function roomFactor(length: number): number {
  return length < 64 * 1024 ? 4 : 16;
}

const nothing = Buffer.alloc(0);
