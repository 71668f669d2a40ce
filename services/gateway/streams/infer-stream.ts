import { ServiceError } from "../../../lib/errors.ts";
import { payloadOf } from "../../../lib/rpc/framing.ts";
import { MessageReader } from "../../../lib/rpc/message-reader.ts";
import type { HeldBytes, RequestBytes } from "../admission/request-bytes.ts";
import { bodyBounds } from "../call/body-bounds.ts";
import { type CallEnd, endOfThrown, ok } from "../call/call-end.ts";
import type { IncomingCall } from "../call/incoming-call.ts";
import { tooSlow } from "../call/messages.ts";
import { calledRef } from "../called-ref.ts";
import type { Connections } from "../forward/connections.ts";
import type { Forwarder } from "../forward/forwarder.ts";
import type { StreamLimits } from "../limits/stream-limits.ts";
import type { ModelRef } from "../model-ref.ts";
import { inferRequest } from "../ref-layouts.ts";
import type { Router } from "../router.ts";
import { answeredBeforeDrain, drained } from "./drained.ts";
import { FrameMerge } from "./frame-merge.ts";
import type { Lane } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import { MessageWatch } from "./message-watch.ts";
import { refusedInStream } from "./refused-in-stream.ts";

/** What the streams of inferences need. */
export interface InferStreamParts {
  readonly router: Router;
  readonly nodes: Connections;
  /** The stream's own. */
  readonly limits: StreamLimits;
  readonly requestBytes: RequestBytes;
  readonly forwarder: Pick<Forwarder, "noteCall" | "takeRetry">;
  /** Aborted when the gateway begins to drain. */
  readonly draining: AbortSignal;
}

/** What a stream may take. */
export interface InferStreamBounds {
  /** Largest message, in bytes. */
  readonly messageBytesMax: number;
  /** Versions on nodes that one stream may use. */
  readonly lanesMax: number;
}

/** How a stream ended. */
export interface StreamEnd {
  readonly end: CallEnd;
  /** The node whose word it is. */
  readonly node?: string;
}

/**
 * A ModelStreamInfer: each request goes the way of its own model and version, in a lane for each version on a node; those that name
 * the same go the same way, in their order, as long as that leads there. A request that cannot be routed, or that no limit ever allows,
 * is answered with an `error_message`, as nodes answer faults, and the stream goes on. It ends as the first of its lanes does.
 *
 * A drain takes no more requests, waits for the answers to those that were taken, and says how many these are.
 */
export class InferStream {
  readonly #call: IncomingCall;
  readonly #bounds: InferStreamBounds;
  readonly #parts: InferStreamParts;
  readonly #frames: MessageReader;
  readonly #answers: FrameMerge;
  readonly #lanes: Lanes;
  readonly #watch: MessageWatch;
  readonly #full = new Set<Lane>();
  /** Whole messages that wait for the one before them. */
  readonly #waiting: Buffer[] = [];
  /** What is held of them, of the one that is not whole, and of those that nodes have no room for yet. */
  readonly #heldBehind: HeldBytes;
  /** What is held of the one before them. */
  readonly #heldFirst: HeldBytes;
  /** Whether that one has to be expanded first, or a limit does not allow it yet. */
  #isHeld = false;
  #isRead = false;
  #isOver = false;
  #taken = 0;
  #refused = 0;
  #settle!: (end: StreamEnd) => void;

  constructor(call: IncomingCall, bounds: InferStreamBounds, parts: InferStreamParts) {
    this.#call = call;
    this.#bounds = bounds;
    this.#parts = parts;
    this.#frames = new MessageReader(bounds.messageBytesMax);
    this.#heldBehind = parts.requestBytes.hold();
    this.#heldFirst = parts.requestBytes.hold();
    this.#watch = new MessageWatch(bodyBounds(bounds.messageBytesMax), {
      isHeldUp: () => call.isPaused,
      onSlow: (bytes) => this.#settle({ end: endOfThrown(tooSlow(bytes)) }),
    });
    this.#answers = new FrameMerge(call);
    this.#lanes = new Lanes(call, {
      ...parts,
      answers: this.#answers,
      lanesMax: bounds.lanesMax,
      onDrained: (lane) => this.#onDrained(lane),
      onEnd: (lane, end, isLast) => {
        if (isLast) this.#settle({ end: this.#lastWord(end), node: lane.node });
        this.#onDrained(lane);
      },
    });
  }

  /** Carries everything, besides the end of the call. Never rejects. */
  async run(): Promise<StreamEnd> {
    const { draining } = this.#parts;
    const ended = new Promise<StreamEnd>((resolve) => {
      this.#settle = resolve;
    });
    const forget = this.#call.onOver((end) => this.#settle({ end }));
    draining.addEventListener("abort", this.#readNoMore, { once: true });
    if (draining.aborted) this.#readNoMore();
    else this.#call.read({ onData: this.#read, onEnd: this.#readAll });
    const last = await ended;
    this.#isOver = true;
    forget();
    draining.removeEventListener("abort", this.#readNoMore);
    this.#call.stopReading();
    this.#watch.end();
    this.#parts.limits.end();
    this.#heldBehind.release();
    this.#heldFirst.release();
    // What still runs elsewhere runs for nobody.
    if (this.#lanes.size > 0) this.#call.giveUp(last.end);
    return last;
  }

  readonly #read = (bytes: Buffer) => {
    this.#orFail(() => {
      this.#frames.read(bytes, (frame) => void this.#waiting.push(frame));
      this.#takeAll();
    });
  };

  readonly #readAll = () => {
    this.#orFail(() => {
      this.#frames.end();
      this.#isRead = true;
      this.#takeAll();
    });
  };

  readonly #readNoMore = () => {
    this.#call.stopReading();
    this.#waiting.length = 0;
    this.#isRead = true;
    this.#parts.limits.waitNoMore();
    this.#takeAll();
  };

  #takeAll(): void {
    while (!this.#isHeld && this.#waiting.length > 0) this.#takeFirst(this.#waiting.shift()!);
    this.#countHeld();
    if (!this.#isRead || this.#isHeld) return;
    this.#lanes.sendNoMore();
    if (this.#lanes.size === 0) this.#settle({ end: this.#lastWord(ok) });
  }

  #takeFirst(frame: Buffer): void {
    const held = this.#heldFirst;
    held.release();
    held.add(frame.length);
    const message = payloadOf(frame, this.#call.headers["grpc-encoding"], this.#bounds.messageBytesMax, held);
    if (message instanceof Promise) void this.#hold(message, (expanded) => this.#take(frame, expanded));
    else this.#take(frame, message);
  }

  #countHeld(): void {
    if (this.#isOver) return;
    if (!this.#isHeld) this.#heldFirst.release();
    this.#heldBehind.release();
    this.#watch.note(this.#isRead ? 0 : this.#frames.bytes);
    const behind = this.#waiting.reduce((sum, { length }) => sum + length, this.#frames.roomBytes);
    const sent = [...this.#full].reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
    this.#heldBehind.add(behind + sent);
  }

  /** Takes nothing more until this is there, and has been dealt with; nothing at all once the stream is over. */
  async #hold<Value>(awaited: Promise<Value>, go: (value: Value) => void): Promise<void> {
    this.#isHeld = true;
    this.#call.pause();
    try {
      const value = await awaited;
      if (this.#isOver) return;
      this.#isHeld = false;
      go(value);
      this.#takeAll();
      this.#readOn();
    } catch (thrown) {
      this.#settle({ end: endOfThrown(thrown) });
    } finally {
      // It may have grown since.
      if (this.#isOver) this.#heldFirst.release();
    }
  }

  /** The path of a request. */
  #take(frame: Buffer, message: Buffer): void {
    const ref = this.#parts.router.refOf(message, inferRequest);
    this.#orRefuse(message, () => {
      const waits = this.#admit(ref, message);
      if (waits === undefined) return this.#send(frame, ref);
      void this.#hold(Promise.allSettled([waits]), ([outcome]) => {
        // Who opens the next stream sends it there.
        if (this.#parts.draining.aborted && outcome.status === "rejected") return;
        this.#orRefuse(message, () => {
          if (outcome.status === "rejected") throw outcome.reason;
          this.#send(frame, ref);
        });
      });
    });
  }

  #admit(ref: ModelRef, message: Buffer): undefined | Promise<void> {
    const { router, limits } = this.#parts;
    const { headers } = this.#call;
    const model = router.modelOf(calledRef(ref, headers));
    return model && limits.admit({ headers, message, model });
  }

  #send(frame: Buffer, ref: ModelRef): void {
    const lane = this.#lanes.for(ref);
    this.#taken++;
    if (lane.send(frame)) return;
    this.#full.add(lane);
    this.#call.pause();
  }

  #orRefuse(message: Buffer, step: () => void): void {
    try {
      step();
    } catch (refusal) {
      if (!(refusal instanceof ServiceError) || this.#call.headers.triton_grpc_error === "true") throw refusal;
      this.#refuse(message, refusal);
    }
  }

  #refuse(message: Buffer, refusal: ServiceError): void {
    this.#taken++;
    this.#refused++;
    const source = this.#answers.source();
    source.respond({});
    if (!source.write(refusedInStream(message, refusal), () => this.#readOn())) this.#call.pause();
  }

  /** A drain, here or at a node, says what the caller has to send again. */
  #lastWord(end: CallEnd): CallEnd {
    const { draining } = this.#parts;
    if (end.code === ok.code) return draining.aborted ? endOfThrown(drained(this.#taken)) : end;
    // Who has all requests has counted all of them.
    const hasAll = this.#lanes.opened === 1 && this.#refused === 0;
    return hasAll || answeredBeforeDrain(end) === undefined ? end : endOfThrown(drained());
  }

  #onDrained(lane: Lane): void {
    if (!this.#full.delete(lane)) return;
    this.#orFail(() => this.#countHeld());
    this.#readOn();
  }

  #readOn(): void {
    if (this.#full.size === 0 && !this.#isHeld && !this.#isRead) this.#call.resume();
  }

  #orFail(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#settle({ end: endOfThrown(thrown) });
    }
  }
}
