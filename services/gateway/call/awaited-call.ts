import type { IncomingHttpHeaders } from "node:http2";
import type { CallEnd } from "./call-end.ts";
import { checkHeaders } from "./header-bounds.ts";
import { Patience } from "./patience.ts";

/** What calls have in common, however they came in: somebody waits for them, and for how long. */
export abstract class AwaitedCall {
  abstract readonly headers: IncomingHttpHeaders;
  protected readonly patience = new Patience();

  get arrivedMs(): number {
    return this.patience.arrivedMs;
  }

  get deadlineMs(): number {
    return this.patience.deadlineMs;
  }

  get over(): CallEnd | undefined {
    return this.patience.over;
  }

  /**
   * Reads how long the caller waits, or else takes the preset, in milliseconds, and holds the call to it. Throws REQUEST_INVALID, and
   * DEADLINE_EXCEEDED where it is too late already.
   */
  begin(presetMs = Infinity): void {
    checkHeaders(this.headers);
    this.patience.begin(this.headers["grpc-timeout"], presetMs);
  }

  presetTimeout(ms: number): void {
    this.patience.preset(ms);
  }

  onOver(listener: (why: CallEnd) => void): () => void {
    return this.patience.onOver(listener);
  }

  /** Ends what is under way for the call, since it is to end like that. */
  giveUp(end: CallEnd): void {
    this.patience.giveUp(end);
  }
}
