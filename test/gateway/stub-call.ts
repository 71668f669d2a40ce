import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { Call } from "../../services/gateway/call/call.ts";
import type { CallEnd } from "../../services/gateway/call/call-end.ts";
import { inferPath } from "./harness.ts";

/** A call without a caller, which keeps what it is answered. */
export class StubCall implements Call {
  readonly path = inferPath;
  readonly headers: IncomingHttpHeaders = {};
  readonly requestId = "1";
  readonly arrivedMs = 0;
  readonly deadlineMs = Infinity;
  presetTimeout(): void {}

  over: CallEnd | undefined;
  answers: OutgoingHttpHeaders[] = [];
  bytes = Buffer.alloc(0);
  readonly #listeners = new Set<(why: CallEnd) => void>();

  onOver(listener: (why: CallEnd) => void): () => void {
    if (this.over !== undefined) listener(this.over);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nobody waits for an answer any longer. */
  leave(why: CallEnd): void {
    this.over = why;
    for (const listener of [...this.#listeners]) listener(why);
  }

  respond(headers: OutgoingHttpHeaders): void {
    this.answers.push(headers);
  }

  write(bytes: Buffer): boolean {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    return true;
  }

  end(): void {
    throw new Error("its end is somebody else's");
  }
}
