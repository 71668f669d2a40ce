import { ServiceError } from "../../../lib/errors.ts";

/** Bounds the bytes of request messages that the process holds, those that are still being read among them. */
export class RequestBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** For one call; it holds nothing yet. */
  hold(): HeldBytes {
    let held = 0;
    return {
      add: (bytes) => {
        if (this.#bytes + bytes > this.#bytesMax) throw this.#refusal();
        this.#bytes += bytes;
        held += bytes;
      },
      release: () => {
        this.#bytes -= held;
        held = 0;
      },
    };
  }

  #refusal(): ServiceError {
    return new ServiceError(
      "QUEUE_FULL",
      `the gateway already holds ${this.#bytes} bytes of requests, and this one would exceed its limit of ${this.#bytesMax}; retry later`,
      { metadata: { limit: "request_bytes", requestBytesMax: String(this.#bytesMax) }, retryDelayMs: 200 },
    );
  }
}

/** What one call holds. */
export interface HeldBytes {
  /** Counts more bytes in; throws QUEUE_FULL at the bound. */
  readonly add: (bytes: number) => void;
  /** Counts all of them out; may be called again. */
  readonly release: () => void;
}
