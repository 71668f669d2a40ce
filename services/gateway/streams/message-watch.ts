import type { BodyBounds } from "../call/body-bounds.ts";

/** What the watch asks and tells. */
export interface MessageWatchEvents {
  /** Whether the gateway itself keeps the caller from sending. */
  readonly isHeldUp: () => boolean;
  /** The message takes too long; so many bytes of it are there. */
  readonly onSlow: (bytes: number) => void;
}

/** Notices a message of a stream that has begun and does not come on; between messages a stream may rest for as long as it likes. */
export class MessageWatch {
  readonly #bounds: Pick<BodyBounds, "idleMs" | "msMax">;
  readonly #events: MessageWatchEvents;
  #timer: NodeJS.Timeout | undefined;
  #beganMs = 0;
  #bytes = 0;

  constructor(bounds: Pick<BodyBounds, "idleMs" | "msMax">, events: MessageWatchEvents) {
    this.#bounds = bounds;
    this.#events = events;
  }

  /** Something has come: so many bytes of a message that is not whole are there now. */
  note(bytes: number): void {
    const isNew = this.#bytes === 0 || bytes < this.#bytes;
    this.#bytes = bytes;
    if (bytes === 0) {
      this.end();
      return;
    }
    if (isNew || this.#events.isHeldUp()) this.#beganMs = performance.now();
    if (this.#timer === undefined) this.#timer = setTimeout(this.#look, this.#bounds.idleMs);
    else this.#timer.refresh();
    if (performance.now() - this.#beganMs > this.#bounds.msMax) this.#events.onSlow(bytes);
  }

  /** Nothing more is watched. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #look = () => {
    if (this.#events.isHeldUp()) this.#timer?.refresh();
    else this.#events.onSlow(this.#bytes);
  };
}
