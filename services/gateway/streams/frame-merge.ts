import type { OutgoingHttpHeaders } from "node:http2";
import { prefixBytes } from "../../../lib/rpc/framing.ts";
import type { Receiver } from "../call/call.ts";

/** Gives the messages of several sources to one receiver, each message in one piece, at the receiver's speed. */
export class FrameMerge {
  readonly #receiver: Receiver;
  /** The source inside of whose message the receiver is. */
  #holder: Source | undefined;
  /** Those with bytes for later. */
  readonly #waiting: Source[] = [];
  readonly #drainedListeners = new Set<() => void>();

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** One more source; its headers are only the receiver's if they are the first. */
  source(): Source {
    return new Source({
      receiver: this.#receiver,
      mayWrite: (source) => this.#holder === undefined || this.#holder === source,
      wait: (source) => void this.#waiting.push(source),
      write: (source, bytes, onDrained) => {
        const isWelcome = this.#write(source, bytes, onDrained);
        this.#goOn();
        return isWelcome;
      },
    });
  }

  #write(source: Source, bytes: Buffer, onDrained: () => void): boolean {
    this.#holder = source.isInside ? source : undefined;
    if (this.#receiver.write(bytes, this.#drained)) return true;
    this.#drainedListeners.add(onDrained);
    return false;
  }

  #goOn(): void {
    while (this.#holder === undefined) {
      const source = this.#waiting.shift();
      if (source === undefined) return;
      const { bytes, onDrained } = source.take();
      if (this.#write(source, bytes, onDrained)) onDrained();
    }
  }

  readonly #drained = () => {
    const listeners = [...this.#drainedListeners];
    this.#drainedListeners.clear();
    for (const listener of listeners) listener();
  };
}

interface Held {
  readonly bytes: Buffer;
  readonly onDrained: () => void;
}

interface SourceParts {
  readonly receiver: Receiver;
  readonly mayWrite: (source: Source) => boolean;
  readonly wait: (source: Source) => void;
  readonly write: (source: Source, bytes: Buffer, onDrained: () => void) => boolean;
}

/** One source of a merge: a receiver of its own. Who is told that no more is welcome waits until more is. */
export class Source implements Receiver {
  readonly #parts: SourceParts;
  readonly #cursor = new FrameCursor();
  #held: Held | undefined;

  constructor(parts: SourceParts) {
    this.#parts = parts;
  }

  /** Whether what was written ends inside of a message. */
  get isInside(): boolean {
    return this.#cursor.isInside;
  }

  onOver(listener: Parameters<Receiver["onOver"]>[0]): () => void {
    return this.#parts.receiver.onOver(listener);
  }

  respond(headers: OutgoingHttpHeaders): void {
    this.#parts.receiver.respond(headers);
  }

  write(bytes: Buffer, onDrained: () => void): boolean {
    if (this.#held !== undefined) {
      this.#held = { bytes: Buffer.concat([this.#held.bytes, bytes]), onDrained };
      return false;
    }
    if (!this.#parts.mayWrite(this)) {
      this.#held = { bytes, onDrained };
      this.#parts.wait(this);
      return false;
    }
    this.#cursor.advance(bytes);
    return this.#parts.write(this, bytes, onDrained);
  }

  /** What was held back, which is written now. */
  take(): Held {
    const held = this.#held!;
    this.#held = undefined;
    this.#cursor.advance(held.bytes);
    return held;
  }
}

/** Where in its messages a source is. */
class FrameCursor {
  #prefix = 0;
  #length = 0;
  #left = 0;

  get isInside(): boolean {
    return this.#left > 0 || this.#prefix > 0;
  }

  advance(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      // The first byte says whether the message is compressed.
      this.#length = this.#prefix === 0 ? 0 : this.#length * 256 + bytes[at]!;
      at++;
      if (++this.#prefix === prefixBytes) {
        this.#left = this.#length;
        this.#prefix = 0;
      }
    }
  }
}
