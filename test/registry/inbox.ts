import { type RemoteFault, remoteFaultOf } from "../../lib/rpc/status.ts";

const waitMsMax = 50_000;

/** Reads a stream to its end and keeps everything. */
export class Inbox<Message> {
  readonly messages: Message[] = [];
  /** How the stream ended; undefined while it goes on, null where it ended well. */
  ended: RemoteFault | null | undefined;
  #wake: () => void = () => undefined;

  constructor(stream: AsyncIterable<Message>) {
    void this.#read(stream);
  }

  /** Settles once `answer` gives something for all that has come. Fails after most of a minute, and where the stream has ended. */
  async until<Answer>(what: string, answer: () => Answer | undefined | false): Promise<Answer> {
    const endMs = Date.now() + waitMsMax;
    for (;;) {
      const found = answer();
      if (found !== undefined && found !== false) return found;
      if (this.ended !== undefined || Date.now() > endMs) {
        throw new Error(
          `no ${what}; ended: ${JSON.stringify(this.ended)}; last: ${JSON.stringify(this.messages.at(-1))}`,
        );
      }
      await this.#changed(endMs - Date.now());
    }
  }

  /** Settles when the stream has ended. */
  async end(): Promise<RemoteFault | null> {
    while (this.ended === undefined) await this.#changed(waitMsMax);
    return this.ended;
  }

  #changed(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #read(stream: AsyncIterable<Message>): Promise<void> {
    try {
      for await (const message of stream) {
        this.messages.push(message);
        this.#wake();
      }
      this.ended = null;
    } catch (failure) {
      this.ended = remoteFaultOf(failure);
    }
    this.#wake();
  }
}
